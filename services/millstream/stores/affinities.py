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
from millstream.stores.calls import fcall_pipeline, replies
from millstream.stores.keys import Keys

Weighted = list[tuple[str, float]]
"""(item, log2 weight), the heaviest first."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Any]).decode


class AffinityStore:
    def __init__(self, redis: Redis, keys: Keys, slots: int) -> None:
        self._redis = redis
        self._keys = keys
        self._slots = slots

    async def add_neighbours(self, tenant: str, added: Mapping[str, Mapping[str, float]]) -> None:
        """`added`: item -> neighbour -> log2 weight to add; one call per slot."""
        by_slot: dict[int, list[str]] = defaultdict(list)
        for item in added:
            by_slot[slot_of(tenant, item, self._slots)].append(item)
        calls: list[tuple[list[str], list[bytes | str | int]]] = []
        for slot, items in by_slot.items():
            keys = [self._keys.neighbours(slot, tenant, item) for item in items]
            calls.append(
                (keys, [covisitation.BOUND, *(_flat(added[item].items()) for item in items)])
            )
        await fcall_pipeline(self._redis, "recs_neighbours_v1", calls)

    async def add_popular(self, tenant: str, added: Mapping[str, float]) -> None:
        keys = [self._keys.popular(tenant)]
        arguments: list[bytes | str | int] = [popularity.BOUND, _flat(added.items())]
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


def _flat(pairs: Iterable[tuple[str, float]]) -> bytes:
    return _encode([value for pair in pairs for value in pair])


def _pairs(packed: bytes | None) -> Weighted:
    if packed is None:
        return []
    flat = _decode(packed)
    return list(zip(flat[::2], flat[1::2], strict=True))
