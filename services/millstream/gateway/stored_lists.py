"""The list that a recommender left for a shopper; while Redis is away the best memory has."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from uuid_utils import uuid7

from millstream.domain.acceptance import Shopper
from millstream.domain.lists import Origin, recommendation_id
from millstream.gateway import telemetry
from millstream.gateway.answers import AnsweredItem
from millstream.gateway.live_ranking import Made
from millstream.gateway.remade_lists import Freshness, RemadeLists
from millstream.gateway.ruled_lists import Listed, Ruled
from millstream.gateway.shelf import Shelf
from millstream.model.serving import NO_MODEL
from millstream.stores.served_lists import ServedItem, ServedList, ServedLists

KEPT = 100_000
"""Lists in memory, some 250 bytes each: those asked for least lately go first."""
AWAY_S = 1.0
"""For so long after a failure Redis is not asked again: lists come from memory at once."""

_stored, _last, _popular, _made = (
    telemetry.LISTS.labels(origin) for origin in ("stored", "last", "popular", "made")
)  # to look them up costs more than to count

log = structlog.get_logger("millstream.gateway")


@dataclass(frozen=True, slots=True)
class Found:
    recommendation_id: str
    model_version: str
    variant: str
    items: tuple[ServedItem | AnsweredItem, ...]
    stale: bool


class StoredLists:
    """`label`: the variant of lists that are in no experiment."""

    def __init__(
        self,
        served: ServedLists,
        shelf: Shelf,
        events_topic: str,
        label: str,
        ruled: Ruled,
        remade: RemadeLists,
    ) -> None:
        self._served = served
        self._shelf = shelf
        self._topic = events_topic
        self._label = label
        self._ruled = ruled
        self._remade = remade
        self._last: OrderedDict[Shopper, bytes] = OrderedDict()
        self._away_until = 0.0
        self._told: set[str] = set()

    async def find(self, tenant: str, shopper: str, n: int) -> Found:
        """At most n items. One read of Redis, two where an item was just numbered by a
        recommender, and what it takes to make a list anew, each for as long as the client waits;
        raises nothing of it."""
        name = (tenant, shopper)
        if time.monotonic() < self._away_until:
            return self._from_memory(name, n)
        ruled = self._ruled.has_rules(tenant)
        try:
            packed = await self._served.packed(tenant, shopper)
            if packed is not None:
                stored = await self._served.learnt(tenant, packed, None if ruled else n)
        except Exception as error:  # noqa: BLE001  whatever Redis has, the shopper gets a list
            self._note_away(error)
            return self._from_memory(name, n)
        if packed is None:
            self._last.pop(name, None)
            return self._popular(tenant, n, stale=False)
        self._keep(name, packed)
        made = await self._made_anew(name, stored.freshness) if ruled else None
        if made is not None:
            return self._anew(name, stored.freshness, made, n)
        _stored.inc()
        return self._found(name, stored, n, stale=False)

    async def _made_anew(self, name: Shopper, freshness: Freshness) -> Made | None:
        """None also where it can't be made: the stored list is there."""
        try:
            return await self._remade.of(name, freshness)
        except Exception as error:  # noqa: BLE001  it says nothing of whether Redis answers
            telemetry.NOT_REMADE.inc()
            kind = type(error).__name__
            if kind not in self._told:
                self._told.add(kind)
                log.warning("stored lists serve as they are", kind=kind)
            return None

    def forget(self, shoppers: Iterable[Shopper]) -> None:
        """Who was erased."""
        erased = list(shoppers)
        self._remade.forget(erased)
        for name in erased:
            self._last.pop(name, None)

    def _from_memory(self, name: Shopper, n: int) -> Found:
        packed = self._last.get(name)
        if packed is None:
            return self._popular(name[0], n, stale=True)
        _last.inc()
        most = None if self._ruled.has_rules(name[0]) else n
        return self._found(name, self._served.unpacked(name[0], packed, most), n, stale=True)

    def _found(self, name: Shopper, stored: ServedList, n: int, *, stale: bool) -> Found:
        """`stored`: whole where the tenant has rules, else no more than n of it."""
        ruled = self._ruled.has_rules(name[0])
        items = self._ruled.of(name[0], stored.items)[:n] if ruled else stored.items
        made_of = self._id(name, stored.freshness)
        return Found(made_of, stored.model_version, stored.variant, items, stale)

    def _anew(self, name: Shopper, freshness: Freshness, made: Made, n: int) -> Found:
        """With the stored list's id: it answers the same event."""
        _made.inc()
        items = (AnsweredItem(i.item_id, round(i.score, 4), i.source) for i in made.items[:n])
        made_of = self._id(name, freshness)
        return Found(made_of, made.model_version, made.variant, tuple(items), stale=False)

    def _id(self, name: Shopper, freshness: Freshness) -> str:
        _, partition, offset = freshness
        return recommendation_id(*name, Origin(self._topic, partition, offset))

    def _popular(self, tenant: str, n: int, *, stale: bool) -> Found:
        _popular.inc()
        shelf = self._shelf.items(tenant)
        items: Sequence[Listed] = shelf
        if self._ruled.has_rules(tenant):
            items = self._ruled.popular(tenant, shelf)
        return Found(uuid7().hex, NO_MODEL, self._label, tuple(items[:n]), stale)

    def _keep(self, name: Shopper, packed: bytes) -> None:
        self._last[name] = packed
        self._last.move_to_end(name)
        if len(self._last) > KEPT:
            self._last.popitem(last=False)

    def _note_away(self, error: Exception) -> None:
        if not self._away_until:
            log.warning("lists come from memory", kind=type(error).__name__)
        self._away_until = time.monotonic() + AWAY_S
