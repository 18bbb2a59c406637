"""What is derived across shoppers: which items go together, and what is popular lately.

Written by what a worker gathered since its last flush; a crash in between loses that much of
a derived value, never a count. Readers keep what they read for a moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from redis.asyncio import Redis

from millstream.domain.identity import slot_of
from millstream.features import covisitation, popularity
from millstream.features.affinity_sums import Near
from millstream.features.covisitation import LEADING, Shares, shares
from millstream.stores.calls import fcall, fcall_pipeline, replies
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys

Weighted = list[tuple[str, float]]
"""(item, log2 weight), the heaviest first."""

ITEMS_A_CALL = 25
"""Some milliseconds of this loop, one of Redis."""
ROW = np.dtype([("number", ">u4"), ("weight", ">f8")])
"""Of a neighbour, as it is stored and sent: its number and log2 of its weight."""
_LEADING_BYTES = LEADING * ROW.itemsize

_encode = msgspec.msgpack.Encoder().encode


class NeighbourWrite(NamedTuple):
    """Neighbours to add to some items of one slot: `rows[i]` are those of `items[i]`, packed."""

    tenant: str
    slot: int
    items: tuple[str, ...]
    rows: tuple[bytes, ...]


class AffinityStore:
    def __init__(self, redis: Redis, keys: Keys, slots: int, numbers: ItemNumbers) -> None:
        self._redis = redis
        self._keys = keys
        self._slots = slots
        self._numbers = numbers

    def neighbour_writes(self, tenant: str, added: Near) -> list[NeighbourWrite]:
        """Of the items whose numbers are known here. Many short ones: neither this loop nor Redis
        is kept from counting for longer than one takes."""
        names, packed = self._numbers.names(tenant), _packed(added)
        starts = (added.starts * ROW.itemsize).tolist()
        by_slot: dict[int, list[tuple[str, bytes]]] = defaultdict(list)
        for number, (start, end) in zip(added.items.tolist(), pairwise(starts), strict=True):
            if item := names.get(number):
                by_slot[slot_of(tenant, item, self._slots)].append((item, packed[start:end]))
        return [
            NeighbourWrite(tenant, slot, *zip(*rows[start : start + ITEMS_A_CALL], strict=True))
            for slot, rows in by_slot.items()
            for start in range(0, len(rows), ITEMS_A_CALL)
        ]

    async def add_neighbours(self, write: NeighbourWrite) -> None:
        keys = [self._keys.neighbours(write.slot, write.tenant, item) for item in write.items]
        await fcall(self._redis, "recs_neighbours_v1", keys, [covisitation.BOUND, *write.rows])

    async def add_popular(self, tenant: str, added: Mapping[str, float]) -> None:
        keys = [self._keys.popular(tenant)]
        arguments: list[bytes | str | int] = [popularity.BOUND, _flat(added)]
        await fcall_pipeline(self._redis, "recs_popular_v1", [(keys, arguments)])

    async def neighbours(self, tenant: str, items: Sequence[str]) -> dict[str, Shares]:
        """Of each of `items`. One round trip, and another one where a neighbour is an item that
        was never met here."""
        by_slot: dict[int, list[str]] = defaultdict(list)
        for item in items:
            by_slot[slot_of(tenant, item, self._slots)].append(item)
        pipeline = self._redis.pipeline(transaction=False)
        for slot, some in by_slot.items():
            pipeline.mget([self._keys.neighbours(slot, tenant, item) for item in some])
        found = await replies(pipeline) if by_slot else []
        packed = [(row or b"")[:_LEADING_BYTES] for rows in found for row in rows]
        rows = np.frombuffer(b"".join(packed), ROW)
        numbers, weights = rows["number"].tolist(), rows["weight"].astype(np.float64)
        names = await self._numbers.recalled(tenant, numbers)
        asked = chain.from_iterable(by_slot.values())
        ends = accumulate((len(row) // ROW.itemsize for row in packed), initial=0)
        return {
            item: _shares(names[start:end], weights[start:end])
            for item, (start, end) in zip(asked, pairwise(ends), strict=True)
        }

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


def _packed(near: Near) -> bytes:
    rows = np.empty(len(near.others), ROW)
    rows["number"], rows["weight"] = near.others, near.weights
    return rows.tobytes()


def _shares(names: Sequence[str | None], weights: NDArray[np.float64]) -> Shares:
    """Without neighbours that have no name: the store lost what they were."""
    if None in names:
        weights = weights[[name is not None for name in names]]
    return shares([name for name in names if name is not None], weights)
