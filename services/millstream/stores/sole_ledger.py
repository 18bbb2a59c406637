"""The ledger's sums as one tenant may see them: they tell no tenant from another."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, cast

from redis.asyncio import Redis

from millstream.stores.feature_store import FeatureStore
from millstream.stores.keys import Keys


class SoleLedger:
    def __init__(self, redis: Redis, keys: Keys, store: FeatureStore) -> None:
        self._redis = redis
        self._keys = keys
        self._store = store

    async def of(self, tenant: str) -> dict[str, int] | None:
        """fences.LEDGER and itm; None where another tenant was seen as well. Raises what Redis
        raises."""
        seen = await cast(Awaitable[set[Any]], self._redis.smembers(self._keys.tenants()))
        return await self._store.ledger() if seen <= {tenant.encode()} else None
