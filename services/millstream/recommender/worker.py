"""Between Faust and the pipeline: which records are next, and where to go on after trouble."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import structlog

from millstream.domain.errors import Halt
from millstream.recommender import telemetry
from millstream.recommender.pipeline import Part, Stages, handle
from millstream.recommender.record import FenceMoved
from millstream.streaming.cursor import Cursor, Jumped
from millstream.streaming.transport import Chunk, LogBounds, Partition

log = structlog.get_logger()

MAX_REWINDS = 64
"""In a row without a chunk handled in between; then something is wrong that going back does not
mend. More than there can be chunks on their way, fetched before we went back: each costs one."""


INBOX_CHUNKS = 32

Positions = Callable[[list[Partition]], Awaitable[tuple[dict[Partition, tuple[int, ...]], str]]]
"""Where the slots stand, by partition, and the epoch (stores/fences.py)."""

FirstOffset = Callable[[Partition, int], Awaitable[int | None]]
"""The offset of the first committed record at or after the given one, or None where the log told
none in some seconds (streaming/probe.py)."""


Rewind = Callable[[], Awaitable[None]]
"""Seeks to where `Worker.resume` says."""


class Worker:
    """Handles one set of ranges at a time, so that a range is never in two calls at once. What
    came meanwhile is handled together: one round trip and one scoring for all partitions."""

    def __init__(
        self,
        stages: Stages,
        positions: Positions,
        first_offset: FirstOffset,
        chunk_records: int,
    ) -> None:
        self._stages = stages
        self._positions = positions
        self._first_offset = first_offset
        self._chunk_records = chunk_records
        self._cursors: dict[Partition, Cursor] = {}
        self._busy = asyncio.Lock()
        self._rewinds = 0
        self._rewind: Rewind | None = None
        self._inbox: asyncio.Queue[Chunk] = asyncio.Queue(INBOX_CHUNKS)

    async def resume(self, bounds: Mapping[Partition, LogBounds]) -> Mapping[Partition, int]:
        """Where to read on: at the lowest slot, or at the published watermark if that is lower,
        since counted events whose list never went out are owed one. Raises Halt where the log no
        longer has what a slot still needs."""
        fences, epoch = await self._positions(list(bounds))
        while not self._inbox.empty():  # it comes again after the seek
            self._inbox.get_nowait()
        self._stages.recorder.resume(dict(fences), epoch)
        self._cursors = {tp: _cursor(tp, min(fences[tp]), bounds[tp]) for tp in bounds}
        log.info("assigned", partitions=len(bounds))
        return {tp: cursor.expected for tp, cursor in self._cursors.items()}

    async def deliver(self, chunk: Chunk) -> None:
        """Hands a chunk to `run`; waits while as many as may be are under way."""
        await self._inbox.put(chunk)

    async def run(self, rewind: Rewind) -> None:
        """For ever: takes what has been delivered, all partitions together. Raises Halt."""
        self._rewind = rewind
        while True:
            chunks = [await self._inbox.get()]
            while not self._inbox.empty():
                chunks.append(self._inbox.get_nowait())
            await self.take(chunks)

    async def take(self, chunks: Sequence[Chunk]) -> None:
        """Handles what is new in the chunks; on a gap reads the positions again. Raises Halt."""
        for round_ in _rounds(chunks):
            async with self._busy:
                try:
                    with telemetry.CHUNK_SECONDS.time():
                        await self._handle(round_)
                except (Jumped, FenceMoved) as moved:
                    await self._go_back(moved)
                    return  # the other rounds are from before the seek
                else:
                    self._rewinds = 0

    async def _go_back(self, moved: Jumped | FenceMoved) -> None:
        telemetry.REWINDS.inc()
        self._rewinds += 1
        if self._rewind is None or self._rewinds > MAX_REWINDS:
            raise Halt(f"went back {MAX_REWINDS} times and got no further: {moved}") from moved
        log.warning("going back", why=str(moved))
        await self._rewind()

    async def _handle(self, chunks: Sequence[Chunk]) -> None:
        """`chunks`: one per partition at most."""
        parts = [part for chunk in chunks if (part := await self._fresh(chunk)) is not None]
        for portion in _portions(parts, self._chunk_records):
            # A part is left out when it changed hands, or we were sent back, while we worked.
            now = [part for part in portion if self._cursors.get(part.source) is part.cursor]
            if now:
                await handle(now, self._stages)

    async def _fresh(self, chunk: Chunk) -> Part | None:
        """None for a late delivery, of what was handled or of a partition that another worker has
        now. Raises Jumped where the log has what is missing, or does not say."""
        source = (chunk.topic, chunk.partition)
        cursor = self._cursors.get(source)
        if cursor is None:
            return None
        try:
            fresh = cursor.take(chunk.records)
        except Jumped as jumped:
            first = await self._first_offset(source, jumped.expected)
            if self._cursors.get(source) is not cursor:  # sought meanwhile: it comes again
                return None
            if first is None or not jumped.expected < first <= jumped.found:
                raise
            _step_over(source, cursor, first)
            fresh = cursor.take(chunk.records)  # `first` exists: if it is missing too, it was lost
        return Part(source, fresh, cursor) if fresh else None

    async def advance_idle(self) -> None:
        """May find that a slot rolled back, and then goes back as `take` does. Raises Halt."""
        async with self._busy:
            try:
                await self._stages.recorder.advance_idle()
            except FenceMoved as moved:
                await self._go_back(moved)

    async def stop(self, timeout: float) -> None:
        """Returns when nothing is in work, or after `timeout` seconds; nothing begins after it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._busy.acquire(), timeout)

    def watermark(self) -> dict[Partition, int]:
        """Per partition the offset up to which every owed list is out."""
        return {tp: max(at.expected, at.publish_from) for tp, at in self._cursors.items()}


def _step_over(source: Partition, cursor: Cursor, first: int) -> None:
    before = cursor.holes
    cursor.skip_to(first)
    stepped = cursor.holes - before
    telemetry.HOLES.inc(stepped)
    log.warning("offsets that the log does not have", partition=source[1], number=stepped)


def _rounds(chunks: Sequence[Chunk]) -> Iterator[list[Chunk]]:
    """One chunk per partition in each round, a partition's chunks in the order they came."""
    waiting = list(chunks)
    while waiting:
        first: dict[Partition, Chunk] = {}
        for chunk in waiting:
            first.setdefault((chunk.topic, chunk.partition), chunk)
        taken = list(first.values())
        waiting = [chunk for chunk in waiting if not any(chunk is one for one in taken)]
        yield taken


def _portions(parts: Sequence[Part], most: int) -> Iterator[list[Part]]:
    """`most` records at a time, from as few partitions as have so many: each one more costs a call
    per slot, which under a backlog would be calls of two or three events.

    A partition stands once in a portion, and its records stay in order."""
    portion: list[Part] = []
    room = most
    for part in parts:
        start = 0
        while start < len(part.records):
            records = part.records[start : start + room]
            portion.append(Part(part.source, records, part.cursor))
            start, room = start + len(records), room - len(records)
            if not room:
                yield portion
                portion, room = [], most
    if portion:
        yield portion


def _cursor(tp: Partition, lowest: int, bounds: LogBounds) -> Cursor:
    published = bounds.committed if bounds.committed is not None else lowest
    start = min(lowest, published)
    if start < bounds.log_start:
        raise Halt(
            f"partition {tp[1]} of {tp[0]} begins at {bounds.log_start}, and offsets from {start} "
            "are still to be counted: retention has passed, or the topic was made anew"
        )
    return Cursor(expected=start, publish_from=published)
