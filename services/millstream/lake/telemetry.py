"""What the lake says of itself: positions and amounts, never what is in a record."""

from __future__ import annotations

import structlog

from millstream.lake.buffer import Cut
from millstream.stores.lake import Forgotten, Range

_log = structlog.get_logger("millstream.lake")


def started(topic: str, partition: int, offset: int) -> None:
    _log.info("lake.partition_joined", topic=topic, partition=partition, offset=offset)


def range_written(cut: Cut) -> None:
    _log.debug(
        "lake.range_written",
        partition=cut.partition,
        start=cut.span.start,
        stop=cut.span.stop,
        records=len(cut.records),
    )


def files_merged(partition: int, span: Range) -> None:
    _log.debug("lake.files_merged", partition=partition, start=span.start, stop=span.stop)


def forgotten(done: Forgotten) -> None:
    _log.info("lake.forgotten", erasures=done.erasures, files=done.files, records=done.records)


def cluster_silent(error: str) -> None:
    _log.warning("lake.partitions_not_asked", error=error)


def stopped(topic: str) -> None:
    _log.info("lake.stopped", topic=topic)
