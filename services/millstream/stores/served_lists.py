"""The last list of each shopper in Redis, for who serves it: newest wins, few bytes an item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from struct import Struct
from typing import cast

import msgspec
from redis.asyncio import Redis

from millstream.domain.identity import slot_of
from millstream.domain.lists import RecommendationList, Source
from millstream.stores.calls import fcall_pipeline, replies
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.ops import NumberedItem

_HEAD = Struct(">QIQ")  # log ms, partition, offset: what is compared (recs_put_v1)
_ITEM = Struct(">IeB")  # number, score as a half float, place of the source
SOURCES = tuple(Source)
"""Stored lists name a source by its place here: append only."""
_PLACE = {source: place for place, source in enumerate(SOURCES)}


class ServedItem(msgspec.Struct, frozen=True, gc=False):
    """`score`: as stored to three digits, rounded to four places."""

    item_id: str
    score: float
    source: Source


class ServedList(msgspec.Struct, frozen=True, gc=False):
    """`freshness`, `variant`: as RecommendationList's; no variant in what was stored without."""

    freshness: tuple[int, int, int]
    model_version: str
    variant: str
    items: tuple[ServedItem, ...]


class ServedLists:
    def __init__(self, redis: Redis, keys: Keys, slots: int, numbers: ItemNumbers) -> None:
        self._redis = redis
        self._keys = keys
        self._slots = slots
        self._numbers = numbers

    async def drop(self, shoppers: Iterable[tuple[str, str]]) -> None:
        """Of (tenant, shopper)s who were erased."""
        pipeline = self._redis.pipeline(transaction=False)
        for name in shoppers:
            pipeline.delete(self._keys.served_list(slot_of(*name, self._slots), *name))
        await replies(pipeline)

    async def put(self, lists: Sequence[RecommendationList]) -> None:
        """Stores each list that is newer than the shopper's last one and not from before an
        erasure. One call a slot; raises as calls.replies does."""
        by_tenant: dict[str, list[str]] = defaultdict(list)
        for ranked in lists:
            by_tenant[ranked.tenant] += [item.item_id for item in ranked.items]
        for tenant, items in by_tenant.items():
            await self._numbers.learn(tenant, items)
        by_slot: dict[int, list[RecommendationList]] = defaultdict(list)
        for ranked in lists:
            by_slot[slot_of(ranked.tenant, ranked.user, self._slots)].append(ranked)
        calls = [self._call(slot, ranked) for slot, ranked in by_slot.items()]
        await fcall_pipeline(self._redis, "recs_put_v1", calls)

    async def get(self, tenant: str, shopper: str) -> ServedList | None:
        packed = await self.packed(tenant, shopper)
        return None if packed is None else self.unpacked(tenant, packed)

    def unpacked(self, tenant: str, packed: bytes, most: int | None = None) -> ServedList:
        """Without items that are not known here."""
        names = self._numbers.names(tenant)
        try:
            return unpack(packed, names, most)
        except KeyError:
            return unpack(_without_unknown(packed, names), names, most)

    async def learnt(self, tenant: str, packed: bytes, most: int | None = None) -> ServedList:
        """With all its items: those that are not known here are asked for, in one round trip.
        Raises what Redis raises."""
        try:
            return unpack(packed, self._numbers.names(tenant), most)
        except KeyError:
            await self._numbers.recalled(tenant, _item_numbers(packed))
            return self.unpacked(tenant, packed, most)

    async def packed(self, tenant: str, shopper: str) -> bytes | None:
        """As it is stored. One GET; raises what Redis raises."""
        slot = slot_of(tenant, shopper, self._slots)
        key = self._keys.served_list(slot, tenant, shopper)
        return cast(bytes | None, await self._redis.get(key))

    def _call(
        self, slot: int, lists: Sequence[RecommendationList]
    ) -> tuple[list[str], list[bytes | str | int]]:
        keys = [self._keys.served_list(slot, ranked.tenant, ranked.user) for ranked in lists]
        before = len(self._keys.served_list(slot, "", "")) - 1
        packed = [pack(ranked, self._numbers.numbered(ranked.tenant)) for ranked in lists]
        return [self._keys.erased(slot), *keys], [before, *packed]


def pack(ranked: RecommendationList, numbered: Mapping[str, NumberedItem]) -> bytes:
    """20 bytes that say how new it is, 1 how long the next part is: the model's version and, on a
    line of its own, the variant; then 7 an item. Each item must be in `numbered`."""
    made_by = f"{ranked.model_version}\n{ranked.variant}".encode()
    rows = [
        _ITEM.pack(numbered[item.item_id][0], item.score, _PLACE[item.source])
        for item in ranked.items
    ]
    return b"".join([_HEAD.pack(*ranked.freshness), bytes([len(made_by)]), made_by, *rows])


def unpack(packed: bytes, names: Mapping[int, str], most: int | None = None) -> ServedList:
    """With `most` only the first so many items. Raises KeyError where `names` lacks one."""
    start, end = _HEAD.size + 1, _end_of_head(packed)
    version, _, variant = packed[start:end].decode().partition("\n")
    return ServedList(
        _HEAD.unpack_from(packed),
        version,
        variant,
        tuple(
            islice(
                (
                    ServedItem(names[number], round(score, 4), SOURCES[place])
                    for number, score, place in _ITEM.iter_unpack(packed[end:])
                ),
                most,
            )
        ),
    )


def _item_numbers(packed: bytes) -> list[int]:
    return [number for number, _, _ in _ITEM.iter_unpack(packed[_end_of_head(packed) :])]


def _without_unknown(packed: bytes, names: Mapping[int, str]) -> bytes:
    end = _end_of_head(packed)
    rows = (packed[at : at + _ITEM.size] for at in range(end, len(packed), _ITEM.size))
    return packed[:end] + b"".join(row for row in rows if _ITEM.unpack(row)[0] in names)


def _end_of_head(packed: bytes) -> int:
    return _HEAD.size + 1 + packed[_HEAD.size]
