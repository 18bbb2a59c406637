"""Item totals: the slots' exact partial counts, summed where every reader finds them.

A total is SET to the absolute sum, so summing twice changes nothing. What a sweep takes from the
dirty set it leaves in another until it is summed: the next sweep finds it where this one dies."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Awaitable, Iterable
from typing import Any, cast

from redis.asyncio import Redis

from millstream.stores.calls import fcall_pipeline, replies
from millstream.stores.keys import Keys
from millstream.stores.pacing import paced

BATCH = 25
"""Counts in one round trip to Redis: some milliseconds of this loop."""
SCANNED = 100
"""Names in one command."""
TAKEN = 10_000
"""Dirty counts taken from each slot at once: more than a second can bring."""


class ItemTotals:
    def __init__(self, redis: Redis, keys: Keys, slots: int) -> None:
        self._redis = redis
        self._keys = keys
        self._slots = slots
        self._summing = asyncio.Lock()

    async def sweep_dirty(self, share: float = 1.0, longest_s: float = 0.0) -> int:
        """Brings up to TAKEN counts of each slot's dirty set up to date; how many it were.
        `share`, `longest_s`: as of `paced`.

        All are taken at once, because a count that is dirty in many slots is then summed only
        once."""
        slots = range(self._slots)
        names = [[self._keys.dirty(slot), self._keys.taken(slot)] for slot in slots]
        taken = await fcall_pipeline(self._redis, "recs_take_v1", [(n, [TAKEN]) for n in names])
        counts = sorted({member.decode() for members in taken for member in members})
        summed = await self._sum(counts, share, longest_s)
        pipeline = self._redis.pipeline(transaction=False)
        for slot, members in zip(slots, taken, strict=True):
            for start in range(0, len(members), SCANNED):
                pipeline.srem(self._keys.taken(slot), *members[start : start + SCANNED])
        await replies(pipeline)
        return summed

    async def sweep_all(self, share: float = 1.0) -> int:
        """Sums every partial count there is; reads in steps, never blocks the server."""
        counts: set[str] = set()
        names = cast(
            set[bytes], await cast(Awaitable[Any], self._redis.smembers(self._keys.tenants()))
        )
        for tenant in (name.decode() for name in names):
            for slot in range(self._slots):
                key = self._keys.item_partials(slot, tenant)
                async for field, _ in self._redis.hscan_iter(key, count=SCANNED):
                    kind, _, item = field.decode().partition("|")
                    counts.add(f"{kind}|{tenant}:{item}")
        return await self._sum(sorted(counts), share, math.inf)

    async def lease(self, owner: str, seconds: int) -> bool:
        """True while `owner` is the one that sweeps; two at once would only waste work."""
        key = self._keys.sweep_lease()
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(key, owner, nx=True, ex=seconds)
        pipeline.get(key)
        taken, holder = await replies(pipeline)
        if taken or holder != owner.encode():
            return bool(taken)
        pipeline.expire(key, seconds)
        await replies(pipeline)
        return True

    async def _sum(self, counts: Iterable[str], share: float, longest_s: float) -> int:
        """`counts`: members of the dirty set, <type index>|<tenant>:<item>."""
        by_tenant: dict[str, list[str]] = defaultdict(list)
        for count in counts:
            kind, _, name = count.partition("|")
            tenant, _, item = name.partition(":")
            by_tenant[tenant].append(f"{kind}|{item}")
        batches = [
            (tenant, fields[start : start + BATCH])
            for tenant, fields in by_tenant.items()
            for start in range(0, len(fields), BATCH)
        ]
        async for tenant, fields in paced(batches, share, longest_s):
            # Of two sweeps at once the later to write may have read first.
            async with self._summing:
                await self._sum_tenant(tenant, fields)
        return sum(len(fields) for fields in by_tenant.values())

    async def _sum_tenant(self, tenant: str, fields: list[str]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for slot in range(self._slots):
            pipeline.hmget(self._keys.item_partials(slot, tenant), fields)
        rows = await replies(pipeline)
        pipeline = self._redis.pipeline(transaction=False)
        for place, field in enumerate(fields):
            kind, _, item = field.partition("|")
            total = sum(int(row[place] or 0) for row in rows)
            pipeline.hset(self._keys.item_totals(tenant, item), kind, str(total))
        await replies(pipeline)
