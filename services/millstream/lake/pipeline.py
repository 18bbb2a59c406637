"""START HERE. The lake's work: log to Parquet, every record raw, exactly once.

The files are the only memory of the position. A crash at any line is mended by starting again:
what was not renamed into place is read from the log a second time, and what was is not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from millstream.domain.clock import Clock
from millstream.domain.erasures import Marks, Read, is_covered
from millstream.domain.log import LogRecord
from millstream.lake import telemetry
from millstream.lake.buffer import Buffer
from millstream.stores.lake import LakeWriter, blanked, forget, merge_small


class Log(Protocol):
    """One topic, all its partitions, each from the offset after the last one in the files. `read`:
    whose a record of it is."""

    topic: str
    read: Read

    async def join_new_partitions(self) -> Mapping[int, int]:
        """Partitions that were not read before, with the offset at which they begin."""

    async def poll(self) -> Mapping[int, Sequence[LogRecord]]:
        """What has come, by partition, offsets rising; after at most half a second nothing.
        Raises Halt when the log and the files do not fit together."""

    def behind(self) -> Mapping[int, int]:
        """Records that the log has after those that were polled, as the last fetches told."""


class Erasures(Protocol):
    """The requests to forget, as they come."""

    @property
    def marks(self) -> Marks:
        """All so far."""

    def take_new(self) -> Marks:
        """Those since the last call; the first call gives all that stood there at the start."""


async def run_pipeline(
    log: Log,
    lake: LakeWriter,
    buffer: Buffer,
    erasures: Erasures,
    clock: Clock,
    stop: asyncio.Event,
) -> None:
    """Until `stop` is set; what has been polled by then is written before it returns."""
    while not stop.is_set():
        for partition, offset in (await log.join_new_partitions()).items():
            buffer.begin(partition, offset)
        chunk = await log.poll()  # partition -> records, raw
        telemetry.polled(log.topic, chunk, log.behind(), clock())
        buffer.add(chunk, clock())
        if buffer.due(clock()):
            await flush(log, buffer, lake, erasures.marks)
        if new := erasures.take_new():
            # What is still in the buffer is blanked when it is written.
            telemetry.forgotten(await asyncio.to_thread(forget, lake, log.topic, new, log.read))
    await flush(log, buffer, lake, erasures.marks)


async def flush(log: Log, buffer: Buffer, lake: LakeWriter, marks: Marks) -> None:
    """The disk is waited for in a thread: the client's connections live on meanwhile."""
    topic = log.topic
    for cut in buffer.cut():  # one range [from, to) a partition
        kept = await asyncio.to_thread(_without_the_erased, cut.records, marks, log.read)
        await asyncio.to_thread(lake.write, topic, cut.partition, cut.span, kept)
        telemetry.range_written(cut)  # the position has moved: it is the file's `to`
        merged = await asyncio.to_thread(merge_small, lake, topic, cut.partition)
        if merged is not None:
            telemetry.files_merged(cut.partition, merged)


def _without_the_erased(
    records: Sequence[LogRecord], marks: Marks, read: Read
) -> Sequence[LogRecord]:
    if not marks:
        return records
    return [blanked(record) if is_covered(record, marks, read) else record for record in records]
