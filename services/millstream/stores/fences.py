"""Where each slot stands in each partition: Redis, not the consumer group, knows the position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from millstream.domain.errors import Halt
from millstream.domain.log import Partition
from millstream.stores.calls import replies
from millstream.stores.keys import Keys

FIRST_EPOCH = "0"
"""In force where no slot has one."""
LEDGER = ("acc", "dup", "late", "era", "over", "bad", "hol")
"""The fates of offsets; per partition they sum up to what the fence has moved."""


def field_of(epoch: str, topic: str, partition: int) -> str:
    """The part of a field's name that follows `t:`, `w:`, `s:` or the name of a ledger."""
    return f"{epoch}:{topic}:{partition}"


@dataclass(frozen=True, slots=True)
class PartitionFences:
    """Per slot, in the order of the slots: the next offset to apply, 0 for a slot that saw nothing
    yet; the witness of the last record it covered, "" for none; and whether it has a fence at all.
    `start`: where counting was told to begin. `ledger`: sums over the slots."""

    per_slot: tuple[int, ...]
    witnesses: tuple[str, ...] = ()
    known: tuple[bool, ...] = ()
    starts: tuple[int, ...] = ()
    ledger: Mapping[str, int] | None = None

    @property
    def lowest(self) -> int:
        return min(self.per_slot)

    @property
    def highest(self) -> int:
        return max(self.per_slot)

    @property
    def residue(self) -> int | None:
        """Records that the ledger has too many (or, below 0, too few); None while the slots stand
        at different offsets, when no sum could be right."""
        if self.ledger is None or self.lowest != self.highest:
            return None
        moved = self.highest - max(self.starts, default=0)
        return sum(self.ledger[name] for name in LEDGER) - moved


@dataclass(frozen=True, slots=True)
class Fences:
    """All slots as one read found them: each slot is a snapshot, all slots together are not."""

    epochs: tuple[str, ...]
    partitions: Mapping[Partition, PartitionFences]

    @property
    def epoch(self) -> str:
        """Raises Halt where the slots are of different epochs."""
        if len(set(self.epochs)) > 1:
            raise Halt(
                f"the slots are in different epochs ({', '.join(sorted(set(self.epochs)))}): a "
                "`millstream fences bump-epoch` did not get through all of them; run it again. See "
                "deploy/runbooks/slots-behind.md"
            )
        return self.epochs[0]


async def read_fences(
    redis: Redis, keys: Keys, slots: int, partitions: Iterable[Partition]
) -> Fences:
    """The named partitions over all slots, in one round trip; each slot by its own epoch."""
    pipeline = redis.pipeline(transaction=False)
    for slot in range(slots):
        pipeline.hgetall(keys.fences(slot))
    found = [_text(row) for row in await replies(pipeline)]
    epochs = tuple(row.get("epoch", FIRST_EPOCH) for row in found)
    return Fences(epochs, {tp: _partition(found, epochs, tp) for tp in partitions})


async def begin_fence(
    redis: Redis, keys: Keys, source: Partition, epochs: Sequence[str], offset: int
) -> None:
    """Lets every slot begin at `offset`; `epochs`: the slots' own. Not to be called where a slot
    has counted: what it has not yet counted before `offset` would be skipped."""
    pipeline = redis.pipeline(transaction=False)
    for slot, epoch in enumerate(epochs):
        field = field_of(epoch, *source)
        at = str(offset)
        pipeline.hset(keys.fences(slot), mapping={f"t:{field}": at, f"s:{field}": at})
    await replies(pipeline)


def _partition(
    found: Sequence[Mapping[str, str]], epochs: Sequence[str], tp: Partition
) -> PartitionFences:
    fields = [field_of(epoch, *tp) for epoch in epochs]
    rows = list(zip(found, fields, strict=True))
    return PartitionFences(
        per_slot=tuple(int(row.get(f"t:{field}", 0)) for row, field in rows),
        witnesses=tuple(row.get(f"w:{field}", "") for row, field in rows),
        known=tuple(f"t:{field}" in row for row, field in rows),
        starts=tuple(int(row.get(f"s:{field}", 0)) for row, field in rows),
        ledger={
            name: sum(int(row.get(f"{name}:{field}", 0)) for row, field in rows)
            for name in (*LEDGER, "itm")
        },
    )


def _text(row: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in row.items()}
