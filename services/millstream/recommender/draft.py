"""Stage: whose list is due, and what stands in it."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from millstream.counting.fenced import Recorded
from millstream.domain.clock import Clock
from millstream.domain.events import EventType
from millstream.domain.identity import ShopperName
from millstream.domain.rules import NO_RULES, RulesInForce
from millstream.ranking.items import ItemTable
from millstream.ranking.rank import Ranked, rank
from millstream.ranking.shop import Shopper
from millstream.recommender import telemetry
from millstream.recommender.hot_swap import HotSwap
from millstream.recommender.publish import Draft
from millstream.recommender.variants import Variants
from millstream.stores.cached_shop import CachedShop
from millstream.stores.visits import NO_VISITS, Visits
from millstream.streaming.decode import Arrival

FEW = 64
"""Shoppers whose lists are made in the loop, in 4 to 20 ms: in a thread beside it each of them
waits for the other at Python's lock, and the lists take half as long again."""

Due = Mapping[ShopperName, Arrival]


@dataclass(frozen=True, slots=True)
class Freshness:
    """Which events still deserve a list. `bound_ms` 0: all; otherwise by log time, so that
    reading an old log again fills the counts without flooding the shop."""

    bound_ms: int
    clock: Clock

    def oldest_ms(self) -> int:
        return self.clock() - self.bound_ms if self.bound_ms else 0


def owed(recorded: Recorded, publish_from: Mapping[int, int], freshness: Freshness) -> Due:
    """Of the due shoppers those whose list did not go out before this worker took over, and who
    are not too old; an erase is never too old for its tombstone.
    `publish_from`: per partition the first offset whose list may be missing."""
    oldest = freshness.oldest_ms()
    return {
        name: arrival
        for name, arrival in recorded.due.items()
        if arrival.offset >= publish_from[arrival.partition]
        and (arrival.log_ms >= oldest or arrival.event.type is EventType.ERASE)
    }


class Drafter:
    def __init__(
        self,
        shop_of: Callable[[str], CachedShop],
        models: HotSwap,
        variants: Variants,
        rules: Callable[[str], RulesInForce] = lambda _tenant: NO_RULES,
        visits: Visits | None = None,
    ) -> None:
        self._shop_of = shop_of
        self._models = models
        self._variants = variants
        self._rules = rules
        self._visits = visits
        self._shops: dict[str, CachedShop] = {}
        self._tables: dict[str, ItemTable] = {}
        self._one_at_a_time = threading.Lock()

    async def draft(self, due: Due, recorded: Recorded) -> list[Draft]:
        """One list per due shopper; one who was erased, or has no state, gets a tombstone."""
        by_tenant: dict[str, list[ShopperName]] = defaultdict(list)
        drafts = []
        for name, arrival in due.items():
            # After a takeover an event may be owed a list whose shopper was erased since.
            if arrival.event.type is EventType.ERASE or recorded.states[name].is_empty:
                drafts.append(Draft.tombstone(name, arrival))
            else:
                by_tenant[name[0]].append(name)
        for tenant, names in by_tenant.items():
            drafts += await self._draft_tenant(tenant, names, due, recorded)
        return drafts

    async def _draft_tenant(
        self, tenant: str, names: list[ShopperName], due: Due, recorded: Recorded
    ) -> list[Draft]:
        shop = self._shops.get(tenant) or self._shops.setdefault(tenant, self._shop_of(tenant))
        now_ms = max(due[name].event.time_ms for name in names)
        states = {name: recorded.states[name] for name in names}
        visits = await self._visits.of(states) if self._visits is not None else {}
        shoppers = {
            name: Shopper.from_state(
                *name, state, due[name].event.time_ms, visits.get(name, NO_VISITS)
            )
            for name, state in states.items()
        }
        touched = (touch.item_id for shopper in shoppers.values() for touch in shopper.recent)
        await shop.refresh(set(touched))
        serving, named = self._models.serving(tenant), self._models.named(tenant)
        rules, drafts = self._rules(tenant), list[Draft]()
        for way, part in self._variants.parted(tenant, names, named):
            by = serving if way.version is None else named[way.version]
            asking = [shoppers[name] for name in part]
            ranked = await self._ranked(
                partial(
                    rank,
                    asking,
                    shop,
                    by.scorer,
                    way.settings,
                    now_ms,
                    self._table(tenant),
                    rules,
                ),
                len(asking),
            )
            drafts += [
                Draft(name, due[name], items, by.version, way.label, way.digest)
                for name, items in zip(part, ranked.lists, strict=True)
            ]
        return drafts

    async def _ranked(self, make: Callable[[], Ranked], shoppers: int) -> Ranked:
        """Of many beside the loop, which meanwhile counts what comes next and hears of lists that
        are out. One at a time: a portion that was given up goes on here, and the table is for one.
        """

        def made() -> Ranked:
            with self._one_at_a_time:
                return make()

        ranked = made() if shoppers <= FEW else await asyncio.to_thread(made)
        for rule, removed in ranked.removed.items():
            telemetry.REMOVED.labels(rule).inc(removed)
        for source, failures in ranked.failed.items():
            telemetry.SOURCE_FAILURES.labels(source).inc(failures)
        return ranked

    def forget(self, tenant: str, items: Iterable[str]) -> None:
        """Their neighbours have changed."""
        shop = self._shops.get(tenant)
        if shop is not None:
            shop.forget(items)

    def _table(self, tenant: str) -> ItemTable:
        held = self._tables.get(tenant)
        if held is None or held.is_full:
            held = self._tables[tenant] = ItemTable()
        return held
