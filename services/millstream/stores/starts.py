"""How often a worker began at one position: more than a few times is one that dies there."""

from __future__ import annotations

from collections.abc import Mapping

from redis.asyncio import Redis

from millstream.domain.log import Partition
from millstream.stores.calls import replies
from millstream.stores.keys import Keys

REMEMBERED_S = 3600
"""From the last start on: what restarts a worker that dies does so sooner."""


class Starts:
    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def count(self, epoch: str, positions: Mapping[Partition, int]) -> dict[Partition, int]:
        """By partition, how many starts there were at its position, this one included; one round
        trip. Raises as calls.replies does."""
        if not positions:
            return {}
        pipeline = self._redis.pipeline(transaction=False)
        for (topic, partition), position in positions.items():
            name = self._keys.starts(epoch, topic, partition, position)
            pipeline.incr(name)
            pipeline.expire(name, REMEMBERED_S)
        counts = (await replies(pipeline))[::2]
        return dict(zip(positions, map(int, counts), strict=True))
