"""The records that are still to be counted, in the order of each partition: lake, then log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from aiokafka.structs import ConsumerRecord

from millstream.domain.log import LogRecord
from millstream.rebuild.pace import Pace
from millstream.rebuild.plan import Span
from millstream.stores.lake.in_order import records_in
from millstream.stores.lake.ranges import Range
from millstream.streaming.decode import Record

CHUNK_RECORDS = 4_000
"""Counted in one round trip: each of the slots is then called with some hundreds."""
WAIT_S = 0.02


@dataclass(frozen=True, slots=True)
class Portion:
    """Offsets `[start, to)` of one partition: what no record stands for does not exist."""

    partition: int
    start: int
    to: int
    records: Sequence[Record]


class Log(Protocol):
    async def fetch(self, ready: Sequence[int], most: int) -> Mapping[int, Sequence[Record]]:
        """Up to `most` records of those partitions, after a moment none. Raises Halt."""
        ...

    def is_read(self, partition: int) -> bool:
        """Whether it is at the end that was asked for."""
        ...


class NoLog:
    """Where all comes from the lake."""

    async def fetch(self, _ready: Sequence[int], _most: int) -> Mapping[int, Sequence[Record]]:
        return {}

    def is_read(self, _partition: int) -> bool:
        return True


class History:
    def __init__(self, root: Path, topic: str, spans: Sequence[Span], log: Log, pace: Pace) -> None:
        self._log = log
        self._pace = pace
        self._next = {span.partition: span.start for span in spans}
        self._lake_to = {span.partition: span.lake_to for span in spans}
        self._unread = set(self._next)
        self._lake: dict[int, Iterator[Record]] = {
            span.partition: _stored(root, topic, span)
            for span in spans
            if span.lake_to > span.start
        }

    async def portions(self) -> AsyncIterator[Sequence[Portion]]:
        """Until all is read: at most one of each partition at a time, CHUNK_RECORDS in all at most.
        Those that are ahead of the others in log time wait. Raises Halt, also as LakeDamaged."""
        while self._unread:
            ready = [p for p in sorted(self._unread) if self._pace.may_go_on(p)]
            if found := await self._fetch(ready):
                yield found
            read = {p for p in self._unread if p not in self._lake and self._log.is_read(p)}
            self._unread -= read
            self._pace.finish(read)

    async def _fetch(self, ready: Sequence[int]) -> Sequence[Portion]:
        stored = [partition for partition in ready if partition in self._lake]
        if stored:
            return await self._take(min(stored, key=self._pace.clock))
        if ready:
            fetched = await self._log.fetch(ready, CHUNK_RECORDS)
            return [self._portion(*one) for one in fetched.items()]
        await asyncio.sleep(WAIT_S)  # the slowest partition is another process's
        return []

    async def _take(self, partition: int) -> Sequence[Portion]:
        records = await asyncio.to_thread(_some, self._lake[partition])
        if records:
            return [self._portion(partition, records)]
        del self._lake[partition]
        start, self._next[partition] = self._next[partition], self._lake_to[partition]
        # What was forgotten last leaves no record that a later portion would begin after.
        to = self._next[partition]
        return [Portion(partition, start, to, ())] if start < to else []

    def _portion(self, partition: int, records: Sequence[Record]) -> Portion:
        start, to = self._next[partition], records[-1].offset + 1
        self._next[partition] = to
        return Portion(partition, start, to, records)


def _stored(root: Path, topic: str, span: Span) -> Iterator[Record]:
    wanted = Range(span.start, span.lake_to)
    return map(as_consumed, records_in(root, topic, span.partition, wanted))


def _some(records: Iterator[Record]) -> list[Record]:
    """None at the end. Blocks on the disk."""
    return list(islice(records, CHUNK_RECORDS))


def as_consumed(record: LogRecord) -> Record:
    return ConsumerRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.log_ms,
        timestamp_type=1,
        key=record.key,
        value=record.value,
        checksum=None,
        serialized_key_size=len(record.key or b""),
        serialized_value_size=len(record.value or b""),
        headers=record.headers,
    )
