"""What the lake says of itself: positions and amounts, never what is in a record.
deploy/metrics.yaml is the closed list of the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog
from prometheus_client import Counter, Gauge

from millstream.domain.log import LogRecord
from millstream.lake.buffer import Cut
from millstream.stores.lake import Forgotten, Range
from millstream.streaming.telemetry import AT_WORK

RECORDS = Counter("millstream_lake_records", "Records in files")
FILES = Counter("millstream_lake_files", "Files written, by why", ["why"])
FORGOTTEN = Counter("millstream_lake_forgotten_records", "Records blanked by erasures")
LAG_MESSAGES = Gauge("millstream_lake_lag_messages", "Records not read yet", ["topic", "partition"])
LAG_SECONDS = Gauge(
    "millstream_lake_lag_seconds",
    "Age by log time of the record read last, 0 where none waits",
    ["topic", "partition"],
)

_log = structlog.get_logger("millstream.lake")


def polled(
    topic: str, chunk: Mapping[int, Sequence[LogRecord]], behind: Mapping[int, int], now_ms: int
) -> None:
    """`behind`: records that the log has after those of `chunk`, by partition."""
    for partition, records in chunk.items():
        waiting = behind.get(partition, 0)
        age_ms = max(0, now_ms - records[-1].log_ms) if waiting else 0
        LAG_MESSAGES.labels(topic, str(partition)).set(waiting)
        LAG_SECONDS.labels(topic, str(partition)).set(age_ms / 1000)


def started(topic: str, partition: int, offset: int) -> None:
    AT_WORK.set(1)
    _log.info("lake.partition_joined", topic=topic, partition=partition, offset=offset)


def range_written(cut: Cut) -> None:
    RECORDS.inc(len(cut.records))
    FILES.labels("written").inc()
    _log.debug(
        "lake.range_written",
        partition=cut.partition,
        start=cut.span.start,
        stop=cut.span.stop,
        records=len(cut.records),
    )


def files_merged(partition: int, span: Range) -> None:
    FILES.labels("merged").inc()
    _log.debug("lake.files_merged", partition=partition, start=span.start, stop=span.stop)


def forgotten(done: Forgotten) -> None:
    FORGOTTEN.inc(done.records)
    _log.info("lake.forgotten", erasures=done.erasures, files=done.files, records=done.records)


def cluster_silent(error: str) -> None:
    _log.warning("lake.partitions_not_asked", error=error)


def stopped(topic: str) -> None:
    _log.info("lake.stopped", topic=topic)
