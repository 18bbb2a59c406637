"""Item totals: the slots' exact partial counts, summed where every reader finds them.

A total is SET to the absolute sum, so summing twice changes nothing. A sweep that dies after
it took items from the dirty set is mended by the next full sweep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Iterable
from typing import Any, cast

import msgspec
from redis.asyncio import Redis

from millstream.domain.events import TYPE_ORDER
from millstream.features.item_counts import field_name
from millstream.stores.keys import Keys

BATCH = 500


class ItemTotals:
    def __init__(self, redis: Redis, keys: Keys, slots: int) -> None:
        self._redis = redis
        self._keys = keys
        self._slots = slots

    async def sweep_dirty(self) -> int:
        """Brings up to BATCH items of each slot's dirty set up to date; how many items it was."""
        pipeline = self._redis.pipeline(transaction=False)
        for slot in range(self._slots):
            pipeline.spop(self._keys.dirty(slot), BATCH)
        taken = await cast(Awaitable[list[Any]], pipeline.execute())
        return await self._sum({member.decode() for members in taken for member in members or ()})

    async def sweep_all(self) -> int:
        """Sums every item that has a partial count; reads in steps, never blocks the server."""
        members: set[str] = set()
        tenants = cast(
            set[bytes], await cast(Awaitable[Any], self._redis.smembers(self._keys.tenants()))
        )
        for tenant in (name.decode() for name in tenants):
            for slot in range(self._slots):
                key = self._keys.item_partials(slot, tenant)
                async for field, _ in self._redis.hscan_iter(key, count=BATCH):
                    members.add(f"{tenant}:{field.decode().partition('|')[2]}")
        done, ordered = 0, sorted(members)
        for start in range(0, len(ordered), BATCH):
            done += await self._sum(ordered[start : start + BATCH])
        return done

    async def lease(self, owner: str, seconds: int) -> bool:
        """True while `owner` is the one that sweeps; two at once would only waste work."""
        key = self._keys.sweep_lease()
        if await self._redis.set(key, owner, nx=True, ex=seconds):
            return True
        if await self._redis.get(key) == owner.encode():
            await cast(Awaitable[Any], self._redis.expire(key, seconds))
            return True
        return False

    async def _sum(self, members: Iterable[str]) -> int:
        by_tenant: dict[str, list[str]] = defaultdict(list)
        for member in members:
            tenant, _, item = member.partition(":")
            by_tenant[tenant].append(item)
        for tenant, items in by_tenant.items():
            await self._sum_tenant(tenant, items)
        return sum(len(items) for items in by_tenant.values())

    async def _sum_tenant(self, tenant: str, items: list[str]) -> None:
        kinds = range(len(TYPE_ORDER))
        fields = [field_name(kind, item) for item in items for kind in kinds]
        pipeline = self._redis.pipeline(transaction=False)
        for slot in range(self._slots):
            pipeline.hmget(self._keys.item_partials(slot, tenant), fields)
        rows = await cast(Awaitable[list[list[bytes | None]]], pipeline.execute())
        pipeline = self._redis.pipeline(transaction=False)
        for place, item in enumerate(items):
            start = place * len(TYPE_ORDER)
            sums = {k: sum(int(row[start + k] or 0) for row in rows) for k in kinds}
            total = {k: n for k, n in sums.items() if n}
            pipeline.set(self._keys.item_totals(tenant, item), msgspec.msgpack.encode(total))
        await cast(Awaitable[Any], pipeline.execute())
