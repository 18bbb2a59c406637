"""What over-full events need of Redis and of the log, in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from millstream.domain.log import Partition
from millstream.streaming.probe import Absent

if TYPE_CHECKING:
    from millstream.stores.outbox import Place
    from millstream.streaming.decode import Record


class MemoryOutbox:
    def __init__(self) -> None:
        self.places: set[Place] = set()

    async def owed(self, partitions: Collection[Partition]) -> list[Place]:
        return sorted(place for place in self.places if place[:2] in partitions)

    async def settle(self, places: Iterable[Place]) -> None:
        self.places -= set(places)


class MemoryLog:
    """`silent`: no broker answers."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.records = list(records)
        self.silent = False

    async def first_records(
        self, places: Mapping[Partition, int]
    ) -> dict[Partition, Record | Absent]:
        return {tp: self._first(tp, offset) for tp, offset in places.items()}

    def _first(self, tp: Partition, offset: int) -> Record | Absent:
        if self.silent:
            return Absent.UNKNOWN
        there = (r for r in self.records if (r.topic, r.partition) == tp and r.offset >= offset)
        return min(there, key=lambda record: record.offset, default=Absent.GONE)
