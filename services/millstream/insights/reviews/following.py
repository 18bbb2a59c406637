"""Between Faust and the judging of reviews: which records are next, and where to go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import structlog

from millstream.domain.errors import Halt
from millstream.domain.log import Partition
from millstream.insights.reviews.judge import JudgeStages, judge
from millstream.insights.reviews.lag import Reached
from millstream.streaming.chunks import Chunk, LogBounds
from millstream.streaming.cursor import Cursor, Jumped
from millstream.streaming.decode import Record

AT_ONCE = 200
"""Reviews under one call of the model: a fraction of a second."""
MAX_REWINDS = 64
EPOCH = "0"
"""Of the committed position; the group has no fences."""

log = structlog.get_logger()

Rewind = Callable[[], Awaitable[None]]
Commit = Callable[[Mapping[Partition, int], str], Awaitable[bool]]


class Log(Protocol):
    async def first_offset(self, source: Partition, offset: int) -> int | None:
        """As streaming.probe.LogReader."""
        ...


async def dense(
    cursor: Cursor, source: Partition, records: Sequence[Record], probe: Log
) -> Sequence[Record]:
    """Those not taken yet. Raises Jumped where the log has what is missing, or does not say: what
    it has not (transaction markers, aborted records) is stepped over."""
    try:
        return cursor.take(records)
    except Jumped as jumped:
        first = await probe.first_offset(source, jumped.expected)
        if first is None or not jumped.expected < first <= jumped.found:
            raise
        cursor.nothing_before = first
        return cursor.take(records)


class ReviewReader:
    """The position is the group's: at least once is enough, since verdicts are counted by the
    review's id."""

    def __init__(self, stages: JudgeStages, probe: Log) -> None:
        self._stages = stages
        self._probe = probe
        self._cursors: dict[Partition, Cursor] = {}
        self._handled_ms: dict[Partition, int] = {}
        self._rewinds = 0

    def reached(self) -> Mapping[Partition, Reached]:
        return {
            tp: Reached(cursor.expected, self._handled_ms.get(tp))
            for tp, cursor in self._cursors.items()
        }

    async def resume(self, bounds: Mapping[Partition, LogBounds]) -> Mapping[Partition, int]:
        """Where the group left off. What retention took before it was judged is lost, and told."""
        self._cursors = {}
        for tp, found in bounds.items():
            wanted = found.committed if found.committed is not None else found.log_start
            if wanted < found.log_start:
                lost = found.log_start - wanted
                log.error("reviews left the log unread", partition=tp[1], number=lost)
            start = max(wanted, found.log_start)
            self._cursors[tp] = Cursor(expected=start, publish_from=start)
        return {tp: cursor.expected for tp, cursor in self._cursors.items()}

    async def handle(self, chunks: Sequence[Chunk], rewind: Rewind, commit: Commit) -> None:
        """Returns when all of them are judged, or are to come again. Raises Halt after MAX_REWINDS
        in a row."""
        try:
            for chunk in chunks:
                await self._handle(chunk, commit)
        except Jumped as jumped:
            self._rewinds += 1
            if self._rewinds > MAX_REWINDS:
                raise Halt(f"went back {MAX_REWINDS} times and got no further: {jumped}") from None
            log.warning("going back", why=str(jumped))
            await rewind()

    async def _handle(self, chunk: Chunk, commit: Commit) -> None:
        source = (chunk.topic, chunk.partition)
        cursor = self._cursors.get(source)
        if cursor is None:
            return
        fresh = await dense(cursor, source, chunk.records, self._probe)
        for start in range(0, len(fresh), AT_ONCE):
            part = fresh[start : start + AT_ONCE]
            await judge(part, self._stages)
            if self._cursors.get(source) is not cursor:  # it changed hands, or comes again
                return
            cursor.advance(part[-1].offset + 1)
            self._handled_ms[source] = part[-1].timestamp
            await commit({source: cursor.expected}, EPOCH)
            self._rewinds = 0
