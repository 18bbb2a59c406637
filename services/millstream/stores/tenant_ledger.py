"""What became of a tenant's records: exact, written by the call that decides it."""

from __future__ import annotations

from redis.asyncio import Redis

from millstream.stores.calls import replies
from millstream.stores.keys import Keys

FATES = ("acc", "dup", "late", "era", "over", "bad")
"""Of fences.LEDGER those that a tenant's record can have: an offset that the log does not have is
nobody's."""


class TenantLedger:
    """Of one topic's fences."""

    def __init__(self, redis: Redis, keys: Keys, slots: int) -> None:
        self._redis = redis
        self._keys = keys
        self._slots = slots

    async def of(self, tenant: str) -> dict[str, int]:
        """By FATES, since counting began, over all slots; one round trip. Raises as calls.replies
        does."""
        pipeline = self._redis.pipeline(transaction=False)
        for slot in range(self._slots):
            pipeline.hmget(self._keys.fences(slot), [f"{fate}/{tenant}" for fate in FATES])
        found = await replies(pipeline)
        return {fate: sum(int(row[at] or 0) for row in found) for at, fate in enumerate(FATES)}
