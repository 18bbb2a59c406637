"""Where each slot stands in each partition: Redis, not the consumer group, knows the position."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from redis.asyncio import Redis

from millstream.stores.calls import replies
from millstream.stores.keys import Keys


def field_of(topic: str, partition: int) -> str:
    return f"{topic}:{partition}"


@dataclass(frozen=True, slots=True)
class PartitionFences:
    """Per slot the next offset to apply; a slot that saw nothing yet stands at 0."""

    per_slot: tuple[int, ...]

    @property
    def lowest(self) -> int:
        return min(self.per_slot)


async def read_fences(
    redis: Redis, keys: Keys, slots: int, partitions: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], PartitionFences]:
    """The fences of the named (topic, partition)s over all slots, in one round trip."""
    wanted = list(partitions)
    if not wanted:
        return {}
    fields = [f"t:{field_of(*tp)}" for tp in wanted]
    pipeline = redis.pipeline(transaction=False)
    for slot in range(slots):
        pipeline.hmget(keys.fences(slot), fields)
    rows = await replies(pipeline)
    return {
        tp: PartitionFences(tuple(int(row[place] or 0) for row in rows))
        for place, tp in enumerate(wanted)
    }


async def read_epoch(redis: Redis, keys: Keys) -> str:
    """The epoch of slot 0; all slots are to change together, by a command that is not built yet
    (issue B)."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.hget(keys.fences(0), "epoch")
    (found,) = await replies(pipeline)
    return str(found.decode()) if found else "0"
