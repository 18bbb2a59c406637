"""What is derived across shoppers: which items go together, and what is popular lately.

Written by what a worker gathered since its last flush; a crash in between loses that much of
a derived value, never a count. Readers keep what they read for a moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from millstream.domain.identity import slot_of
from millstream.features import covisitation, popularity
from millstream.stores.calls import fcall, fcall_pipeline, replies
from millstream.stores.keys import Keys

Weighted = list[tuple[str, float]]
"""(item, log2 weight), the heaviest first."""

ITEMS_A_CALL = 100
"""Some three milliseconds of Redis."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Any]).decode


class AffinityStore:
    def __init__(self, redis: Redis, keys: Keys, slots: int) -> None:
        self._redis = redis
        self._keys = keys
        self._slots = slots

    async def add_neighbours(self, tenant: str, added: Mapping[str, Mapping[str, float]]) -> None:
        """`added`: item -> neighbour -> log2 weight to add. Many short calls, one after the other:
        neither this loop nor Redis is kept from counting for longer than one takes."""
        by_slot: dict[int, list[str]] = defaultdict(list)
        for item in added:
            by_slot[slot_of(tenant, item, self._slots)].append(item)
        for slot, items in by_slot.items():
            for start in range(0, len(items), ITEMS_A_CALL):
                some = items[start : start + ITEMS_A_CALL]
                keys = [self._keys.neighbours(slot, tenant, item) for item in some]
                arguments: list[bytes | str | int] = [covisitation.BOUND]
                arguments += [_flat(added[item]) for item in some]
                await fcall(self._redis, "recs_neighbours_v1", keys, arguments)

    async def add_popular(self, tenant: str, added: Mapping[str, float]) -> None:
        keys = [self._keys.popular(tenant)]
        arguments: list[bytes | str | int] = [popularity.BOUND, _flat(added)]
        await fcall_pipeline(self._redis, "recs_popular_v1", [(keys, arguments)])

    async def neighbours(self, tenant: str, items: Sequence[str]) -> dict[str, Weighted]:
        if not items:
            return {}
        pipeline = self._redis.pipeline(transaction=False)
        for item in items:
            pipeline.get(self._keys.neighbours(slot_of(tenant, item, self._slots), tenant, item))
        rows = await replies(pipeline)
        return {item: _pairs(row) for item, row in zip(items, rows, strict=True)}

    async def popular(self, tenant: str, n: int) -> Weighted:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zrevrange(self._keys.popular(tenant), 0, n - 1, withscores=True)
        (found,) = await replies(pipeline)
        return [(item.decode(), score) for item, score in found]

    async def note_tenants(self, tenants: Iterable[str]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.sadd(self._keys.tenants(), *tenants)
        await replies(pipeline)


def _flat(weights: Mapping[str, float]) -> bytes:
    flat: list[str | float] = [0.0] * (2 * len(weights))
    flat[::2], flat[1::2] = weights.keys(), weights.values()
    return _encode(flat)


def _pairs(packed: bytes | None) -> Weighted:
    if packed is None:
        return []
    flat = _decode(packed)
    return list(zip(flat[::2], flat[1::2], strict=True))
