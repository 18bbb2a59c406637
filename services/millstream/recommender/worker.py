"""Between Faust and the pipeline: which records are next, and where to go on after trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from millstream.domain.errors import Halt
from millstream.recommender import telemetry
from millstream.recommender.pipeline import Stages, handle
from millstream.recommender.record import FenceMoved
from millstream.streaming.cursor import Cursor, Jumped
from millstream.streaming.transport import Chunk, LogBounds, Partition

log = structlog.get_logger()

MAX_REWINDS = 64
"""In a row without a chunk handled in between; then something is wrong that going back does not
mend. More than there can be chunks on their way, fetched before we went back: each costs one."""


Positions = Callable[[list[Partition]], Awaitable[tuple[dict[Partition, tuple[int, ...]], str]]]
"""Where the slots stand, by partition, and the epoch (stores/fences.py)."""


class Worker:
    """Handles one chunk at a time, so that a range is never in two calls at once."""

    def __init__(self, stages: Stages, positions: Positions, chunk_records: int) -> None:
        self._stages = stages
        self._positions = positions
        self._chunk_records = chunk_records
        self._cursors: dict[Partition, Cursor] = {}
        self._busy = asyncio.Lock()
        self._rewinds = 0
        self._rewind: Callable[[], Awaitable[None]] | None = None

    async def resume(self, bounds: Mapping[Partition, LogBounds]) -> Mapping[Partition, int]:
        """Where to read on: at the lowest slot, or at the published watermark if that is lower,
        since counted events whose list never went out are owed one. Raises Halt where the log no
        longer has what a slot still needs."""
        fences, epoch = await self._positions(list(bounds))
        self._stages.recorder.resume(dict(fences), epoch)
        before, self._cursors = self._cursors, {}
        for tp in bounds:
            self._cursors[tp] = _cursor(tp, min(fences[tp]), bounds[tp])
            if tp in before:
                self._cursors[tp].remember(before[tp])
        log.info("assigned", partitions=len(bounds))
        return {tp: cursor.expected for tp, cursor in self._cursors.items()}

    async def take(self, chunk: Chunk, rewind: Callable[[], Awaitable[None]]) -> None:
        """Handles what is new in the chunk; on a gap reads the positions again. Raises Halt."""
        async with self._busy:
            self._rewind = rewind
            try:
                with telemetry.CHUNK_SECONDS.time():
                    await self._handle(chunk)
            except (Jumped, FenceMoved) as moved:
                await self._go_back(moved)
            else:
                self._rewinds = 0

    async def _go_back(self, moved: Jumped | FenceMoved) -> None:
        telemetry.REWINDS.inc()
        self._rewinds += 1
        if self._rewind is None or self._rewinds > MAX_REWINDS:
            raise Halt(f"went back {MAX_REWINDS} times and got no further: {moved}") from moved
        log.warning("going back", why=str(moved))
        await self._rewind()

    async def _handle(self, chunk: Chunk) -> None:
        source = (chunk.topic, chunk.partition)
        cursor = self._cursors.get(source)
        if cursor is None:
            return  # a late delivery of a partition that another worker has now
        holes = cursor.holes
        fresh = cursor.take(chunk.records)
        telemetry.HOLES.inc(cursor.holes - holes)
        for start in range(0, len(fresh), self._chunk_records):
            if self._cursors.get(source) is not cursor:
                return  # the partition changed hands, or we were sent back, while we worked
            part = fresh[start : start + self._chunk_records]
            await handle(source, part, cursor, self._stages)

    async def advance_idle(self) -> None:
        """May find that a slot rolled back, and then goes back as `take` does. Raises Halt."""
        async with self._busy:
            try:
                await self._stages.recorder.advance_idle()
            except FenceMoved as moved:
                await self._go_back(moved)

    def watermark(self) -> dict[Partition, int]:
        """Per partition the offset up to which every owed list is out."""
        return {tp: cursor.expected for tp, cursor in self._cursors.items()}


def _cursor(tp: Partition, lowest: int, bounds: LogBounds) -> Cursor:
    published = bounds.committed if bounds.committed is not None else lowest
    start = min(lowest, published)
    if start < bounds.log_start:
        raise Halt(
            f"partition {tp[1]} of {tp[0]} begins at {bounds.log_start}, and offsets from {start} "
            "are still to be counted: retention has passed, or the topic was made anew"
        )
    return Cursor(expected=start, publish_from=published)
