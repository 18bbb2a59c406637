"""Between Faust and the pipeline: which records are next, and where to go on after trouble."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Protocol

import structlog

from millstream.counting.fenced import FenceMoved
from millstream.counting.guard import Standing
from millstream.domain.errors import Halt
from millstream.domain.log import Partition
from millstream.recommender import telemetry
from millstream.recommender.flights import Flights, Turn
from millstream.recommender.pipeline import Part, Ready, Stages, answer, deliver, prepare, record
from millstream.recommender.portions import portions, rounds
from millstream.stores.fences import FIRST_EPOCH, Fences
from millstream.streaming import witness
from millstream.streaming.chunks import Chunk, LogBounds
from millstream.streaming.cursor import Cursor, Jumped

log = structlog.get_logger()

MAX_REWINDS = 64
"""In a row without a chunk handled in between; then something is wrong that going back does not
mend. More than there can be chunks on their way, fetched before we went back: each costs one."""


INBOX_RECORDS = 5_000
"""Waiting; then `deliver` waits. Room for every fetch that comes while lists are made: what does
not fit is a whole portion late."""
MOST_UNDER_WAY = 3
"""Portions recorded, answered or delivered while the next one is decoded."""
Positions = Callable[[list[Partition]], Awaitable[Fences]]


class Log(witness.Log, Protocol):
    """As streaming.probe.LogReader."""

    async def first_offset(self, source: Partition, offset: int) -> int | None:
        """Of the first committed record at or after the given one; None where the log told none
        in some seconds."""
        ...


Rewind = Callable[[], Awaitable[None]]
"""Seeks to where `Worker.resume` says."""


class Worker:
    """Records one set of ranges at a time, so that a range is never in two calls at once. What
    came meanwhile is handled together: one round trip and one scoring for all partitions."""

    def __init__(
        self,
        stages: Stages,
        positions: Positions,
        log_reader: Log,
        chunk_records: int,
    ) -> None:
        self.epoch = FIRST_EPOCH
        self._stages = stages
        self._positions = positions
        self._log = log_reader
        self._chunk_records = chunk_records
        self._cursors: dict[Partition, Cursor] = {}
        self._busy = asyncio.Lock()
        self._news = asyncio.Event()
        self._flights = Flights(MOST_UNDER_WAY, self._news.set)
        self._in_doubt = False
        self._is_released = False
        self._rewinds = 0
        self._rewind: Rewind | None = None
        self._inbox: list[Chunk] = []
        self._room = asyncio.Event()

    async def resume(self, bounds: Mapping[Partition, LogBounds]) -> Mapping[Partition, int]:
        """Where to read on: at the lowest slot, or at the published watermark if that is lower,
        since counted events whose list never went out are owed one. Raises Halt where the log no
        longer has what a slot still needs, or is not the one that was counted."""
        fences = await self._positions(list(bounds))
        epoch, partitions = fences.epoch, fences.partitions
        cursors = {
            tp: _cursor(tp, partitions[tp].lowest, _of_epoch(bounds[tp], epoch)) for tp in bounds
        }
        witnesses = {
            tp: witness.readable(partitions[tp].witnesses, bounds[tp].log_start) for tp in bounds
        }
        await witness.verify(self._log, witnesses)
        self._take_inbox()  # it comes again after the seek
        self.epoch = epoch
        self._stages.recorder.resume({tp: partitions[tp].per_slot for tp in bounds}, epoch)
        for tp, read_back in witnesses.items():
            cursors[tp].witness = read_back[-1] if read_back else ""
        self._cursors = cursors
        self._is_released = False
        log.info("assigned", partitions=len(bounds))
        return {tp: cursor.expected for tp, cursor in self._cursors.items()}

    def release(self) -> None:
        """The group takes all partitions back; `resume` tells which ones come again. Where they
        stood is kept: the log can be asked about it, whoever goes on."""
        self._is_released = True

    def doubt(self) -> None:
        """Before the next records are handled the log has to show that it is still the same: a
        broker that was away may come back with another one."""
        self._in_doubt = True

    async def _dispel(self) -> None:
        """Raises Halt as `resume` does."""
        self._in_doubt = False
        for _ in range(witness.LOOKS):
            cursors = dict(self._cursors)
            starts = await self._log.starts(list(cursors))
            if starts is not None:
                break
        else:
            raise Halt("the broker does not say where its partitions begin")
        await witness.verify(
            self._log,
            {tp: witness.readable([at.witness], starts[tp]) for tp, at in cursors.items()},
        )

    def standing(self) -> dict[Partition, Standing]:
        return {tp: Standing(at.expected, at.witness) for tp, at in self._cursors.items()}

    @property
    def is_full(self) -> bool:
        """As many records are waiting as may be: the client is asked for no more."""
        return sum(len(chunk.records) for chunk in self._inbox) >= INBOX_RECORDS

    async def deliver(self, chunks: Sequence[Chunk]) -> None:
        """Hands chunks to `run`; waits while as many as may be are waiting."""
        while self.is_full:
            self._room.clear()
            await self._room.wait()
        self._inbox += chunks
        self._news.set()

    def _take_inbox(self) -> list[Chunk]:
        taken, self._inbox = self._inbox, []
        self._room.set()
        return taken

    async def run(self, rewind: Rewind) -> None:
        """For ever: begins what has been delivered, all partitions together, and notices what
        became of it. Raises Halt."""
        self._rewind = rewind
        while True:
            await self._news.wait()
            self._news.clear()
            # A portion of three events costs nearly what one of thirty does: what comes while lists
            # are made is begun together.
            await self._flights.sent()
            await self.begin(self._take_inbox())

    async def begin(self, chunks: Sequence[Chunk]) -> None:
        """What is new in the chunks is on its way when it returns; where that, or what was begun
        before, meets a gap, the positions are read again. Raises Halt."""
        async with self._busy:
            try:
                self._flights.look()
                for round_ in rounds(chunks):
                    if self._in_doubt:
                        await self._flights.landed()
                        await self._dispel()
                    await self._begin(round_)
            except (Jumped, FenceMoved) as moved:
                await self._go_back(moved)  # what is left of the chunks is from before the seek

    async def _go_back(self, moved: Jumped | FenceMoved) -> None:
        await self._flights.give_up()
        telemetry.REWINDS.inc()
        self._rewinds += 1
        if self._rewind is None or self._rewinds > MAX_REWINDS:
            raise Halt(
                f"went back {MAX_REWINDS} times and got no further: {moved}. "
                "See deploy/runbooks/slots-behind.md"
            ) from moved
        log.warning("going back", why=str(moved))
        await self._rewind()

    async def _begin(self, chunks: Sequence[Chunk]) -> None:
        """`chunks`: one per partition at most."""
        parts = [part for chunk in chunks if (part := await self._fresh(chunk)) is not None]
        for portion in portions(parts, self._chunk_records):
            ready = await prepare(portion, self._stages)
            for part in portion:
                part.cursor.took(part.records[-1].offset + 1)
            await self._flights.begin(partial(self._finish, ready))

    async def _finish(self, ready: Sequence[Ready], before: Turn, turn: Turn) -> None:
        """Each step after that of the portion before, which may still be at its next step."""
        began_s = monotonic()
        await before.recorded.wait()
        before.require()
        began = self._stages.tenure.begin()
        # A part is left out when it changed hands, or we were sent back, while we worked.
        now = [one for one in ready if self._cursors.get(one.part.source) is one.part.cursor]
        recorded = await record(now, self._stages) if now else None
        turn.recorded.set()
        await before.sent.wait()
        before.require()
        still_ours = partial(self._require_ours, now, began)
        if recorded is None:
            await before.delivered.wait()
            return
        sending = await answer(now, recorded, self._stages, still_ours)
        turn.sent.set()
        await before.delivered.wait()
        before.require()
        await deliver(now, recorded, sending, self._stages)
        for one in now:
            one.part.cursor.witness = one.prepared.decoded.witness
        self._rewinds = 0
        telemetry.CHUNK_SECONDS.observe(monotonic() - began_s)

    def _require_ours(self, ready: Sequence[Ready], began: float) -> None:
        """Raises FenceMoved where a partition changed hands, or may have."""
        self._stages.tenure.check(began)
        for one in ready:
            if self._is_released or self._cursors.get(one.part.source) is not one.part.cursor:
                raise FenceMoved(f"partition {one.part.source[1]} changed hands before its lists")

    async def _fresh(self, chunk: Chunk) -> Part | None:
        """None for a late delivery, of what was handled or of a partition that another worker has
        now. Raises Jumped where the log has what is missing, or does not say."""
        source = (chunk.topic, chunk.partition)
        cursor = self._cursors.get(source)
        if cursor is None or self._is_released:
            return None
        try:
            fresh = cursor.take(chunk.records)
        except Jumped as jumped:
            await self._flights.landed()  # its lists are not to go out twice
            first = await self._log.first_offset(source, jumped.expected)
            if self._cursors.get(source) is not cursor:  # sought meanwhile: it comes again
                return None
            if first is None or not jumped.expected < first <= jumped.found:
                raise
            cursor.nothing_before = first
            fresh = cursor.take(chunk.records)  # `first` exists: if it is missing too, it was lost
            missing = first - cursor.taken
            telemetry.HOLES.inc(missing)
            log.warning("offsets that the log does not have", partition=source[1], number=missing)
        return Part(source, fresh, cursor.taken, cursor) if fresh else None

    async def advance_idle(self) -> None:
        """May find that a slot rolled back, and then goes back as `begin` does. Raises Halt."""
        async with self._busy:
            try:
                await self._flights.recorded()
                self._flights.look()
                await self._stages.recorder.advance_idle()
            except FenceMoved as moved:
                await self._go_back(moved)

    async def stop(self, timeout: float) -> None:
        """Returns when nothing is under way, or after `timeout` seconds; nothing begins then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._busy.acquire()
                await self._flights.ended()

    def watermark(self) -> dict[Partition, int]:
        """Per partition the offset up to which every owed list is out."""
        return {tp: max(at.expected, at.publish_from) for tp, at in self._cursors.items()}


def _of_epoch(bounds: LogBounds, epoch: str) -> LogBounds:
    """Without a watermark of another epoch: it was of another log."""
    return bounds if bounds.committed_in == epoch else LogBounds(bounds.log_start, None)


def _cursor(tp: Partition, lowest: int, bounds: LogBounds) -> Cursor:
    published = bounds.committed if bounds.committed is not None else lowest
    start = min(lowest, published)
    if start < bounds.log_start:
        raise witness.past_retention(tp, bounds.log_start, start)
    return Cursor(expected=start, publish_from=published)
