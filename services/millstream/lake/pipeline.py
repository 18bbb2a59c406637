"""START HERE. The lake's work: log to Parquet, every record raw, exactly once.

The files are the only memory of the position. A crash at any line is mended by starting again:
what was not renamed into place is read from the log a second time, and what was is not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from millstream.domain.clock import Clock
from millstream.domain.log import LogRecord
from millstream.lake import telemetry
from millstream.lake.buffer import Buffer
from millstream.stores.lake import LakeWriter, merge_small


class Log(Protocol):
    """One topic, all its partitions, each from the offset after the last one in the files."""

    topic: str

    async def join_new_partitions(self) -> Mapping[int, int]:
        """Partitions that were not read before, with the offset at which they begin."""

    async def poll(self) -> Mapping[int, Sequence[LogRecord]]:
        """What has come, by partition, offsets rising; after at most half a second nothing.
        Raises Halt when the log and the files do not fit together."""


async def run_pipeline(
    log: Log, lake: LakeWriter, buffer: Buffer, clock: Clock, stop: asyncio.Event
) -> None:
    """Until `stop` is set; what has been polled by then is written before it returns."""
    while not stop.is_set():
        for partition, offset in (await log.join_new_partitions()).items():
            buffer.begin(partition, offset)
        chunk = await log.poll()  # partition -> records, raw
        buffer.add(chunk, clock())
        if buffer.due(clock()):
            await flush(log.topic, buffer, lake)
    await flush(log.topic, buffer, lake)


async def flush(topic: str, buffer: Buffer, lake: LakeWriter) -> None:
    """The disk is waited for in a thread: the client's connections live on meanwhile."""
    for cut in buffer.cut():  # one range [from, to) a partition
        await asyncio.to_thread(lake.write, topic, cut.partition, cut.span, cut.records)
        telemetry.range_written(cut)  # the position has moved: it is the file's `to`
        merged = await asyncio.to_thread(merge_small, lake, topic, cut.partition)
        if merged is not None:
            telemetry.files_merged(cut.partition, merged)
