"""The outbox: over-full events that are counted and whose dead letter is not known to be out.

recs_apply_v2 puts a place into it in the call that counts the event; it is taken out after the
letter's acknowledgement. So a worker that dies between the two leaves a debt, not a loss."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from redis.asyncio import Redis

from millstream.stores.calls import replies
from millstream.stores.keys import Keys

Place = tuple[str, int, int]
"""Topic, partition, offset."""


class Outbox:
    """Every method raises as calls.replies does."""

    def __init__(self, redis: Redis, keys: Keys, slots: int) -> None:
        self._redis = redis
        self._keys = keys
        self._slots = slots

    async def owed(self, partitions: Collection[tuple[str, int]]) -> list[Place]:
        """What is owed of the named partitions, ascending; one round trip."""
        pipeline = self._redis.pipeline(transaction=False)
        for slot in range(self._slots):
            pipeline.smembers(self._keys.owed(slot))
        places = {_place(member) for members in await replies(pipeline) for member in members}
        return sorted(place for place in places if place[:2] in partitions)

    async def settle(self, places: Iterable[Place]) -> None:
        """Their letters are durable. May be repeated."""
        members = [f"{topic}:{partition}:{offset}" for topic, partition, offset in places]
        if not members:
            return
        # Which slot holds which is not asked: over-full events are rare, and slots are few.
        pipeline = self._redis.pipeline(transaction=False)
        for slot in range(self._slots):
            pipeline.srem(self._keys.owed(slot), *members)
        await replies(pipeline)


def _place(member: bytes) -> Place:
    topic, partition, offset = member.decode().rsplit(":", 2)
    return topic, int(partition), int(offset)
