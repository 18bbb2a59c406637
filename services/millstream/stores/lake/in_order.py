"""One partition of the lake as the log was: by offset, a part of it at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from millstream.domain.log import LogRecord
from millstream.stores.lake.blank import is_blank
from millstream.stores.lake.frames import to_records
from millstream.stores.lake.ranges import Range, in_force, partition_dir, partitions
from millstream.stores.lake.read import rows_of


def held(root: Path, topic: str) -> dict[int, Range]:
    """By partition, the offsets that the lake has."""
    found = {}
    for partition in partitions(root, topic):
        ranges = in_force(partition_dir(root, topic, partition))
        if ranges:
            found[partition] = Range(ranges[0].start, ranges[-1].stop)
    return found


def records_in(root: Path, topic: str, partition: int, wanted: Range) -> Iterator[LogRecord]:
    """Those in `wanted`, offsets rising; where a record was forgotten its offset is a hole. Holds
    one file in memory; blocks on the disk. Raises LakeDamaged."""
    folder = partition_dir(root, topic, partition)
    for span in in_force(folder):
        if span.stop <= wanted.start or span.start >= wanted.stop:
            continue
        inside = pl.col("offset").is_between(wanted.start, wanted.stop, closed="left")
        rows = rows_of(folder, span).filter(inside).sort("offset")
        for record in to_records(topic, rows.with_columns(partition=pl.lit(partition, pl.Int32))):
            if record.value is not None or not is_blank(record):
                yield record
