"""The lake as a log again: whole records, in log-time order, in bounded memory.

A reader needs no lock and may run beside the writer: it sees the ranges that stood when it
began, each record once. Memory is bounded by the files that overlap in log time, which is
about one merged file for each partition; everything may block on the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

import polars as pl

from millstream.domain.log import LogRecord
from millstream.stores.lake.blank import is_blank
from millstream.stores.lake.frames import to_records
from millstream.stores.lake.ranges import (
    LakeDamaged,
    Range,
    in_force,
    partition_dir,
    partitions,
)
from millstream.stores.lake.whole_file import last_row, log_time_bounds, whole_rows

T = TypeVar("T")

# Rows gathered before they are put in order: small files are not sorted one by one.
_ROWS_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class _Stored:
    """A range as it stood when the reader began, with the log times in it (ms, inclusive)."""

    folder: Path
    partition: int
    span: Range
    oldest: int
    newest: int


def offsets(root: Path, topic: str) -> dict[int, int]:
    """By partition, the offset after the last one stored."""
    ends = {}
    for partition in partitions(root, topic):
        ranges = in_force(partition_dir(root, topic, partition))
        if ranges:
            ends[partition] = ranges[-1].stop
    return ends


def records(root: Path, topic: str, since_log_ms: int | None = None) -> Iterator[LogRecord]:
    """In log-time order, ties by partition and offset; none older than `since_log_ms`. Where a
    record was forgotten its offset is a hole, like those of the log.

    Raises LakeDamaged where files overlap or leave a gap, or one is not as it was written."""
    for frame in _ordered(root, topic, since_log_ms):
        for record in to_records(topic, frame):
            if record.value is not None or not is_blank(record):
                yield record


def last_record(root: Path, topic: str, partition: int) -> LogRecord | None:
    """The one with the highest offset: what the log must still say at that offset, unless it
    was forgotten and is a blank (`is_blank`)."""
    folder = partition_dir(root, topic, partition)
    ranges = in_force(folder)
    if not ranges:
        return None
    row = _of_holder(folder, ranges[-1], last_row)
    frame = row.with_columns(partition=pl.lit(partition, pl.Int32))
    return next(to_records(topic, frame))


def _ordered(root: Path, topic: str, since_log_ms: int | None) -> Iterator[pl.DataFrame]:
    """Frames of SCHEMA and `partition`; each is sorted and ends before the next begins.

    Files are read by their oldest log time. What is older than everything unread may go."""
    files = sorted(_stored(root, topic, since_log_ms), key=lambda file: file.oldest)
    waiting: list[pl.DataFrame] = []
    for file, following in zip_longest(files, files[1:]):
        waiting.append(_rows(file, since_log_ms))
        if following is None:
            yield _sorted(pl.concat(waiting))
        elif sum(frame.height for frame in waiting) >= _ROWS_AT_ONCE:
            rows = pl.concat(waiting)
            done = pl.col("log_ms") < following.oldest
            yield _sorted(rows.filter(done))
            waiting = [rows.filter(~done)]


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort("log_ms", "partition", "offset")


def _stored(root: Path, topic: str, since_log_ms: int | None) -> Iterator[_Stored]:
    for partition in partitions(root, topic):
        folder = partition_dir(root, topic, partition)
        for span in in_force(folder):
            # Of the file that now holds the range: they may be wider than its own.
            oldest, newest = _of_holder(folder, span, log_time_bounds)
            if since_log_ms is None or newest >= since_log_ms:
                yield _Stored(folder, partition, span, oldest, newest)


def _rows(file: _Stored, since_log_ms: int | None) -> pl.DataFrame:
    rows = rows_of(file.folder, file.span)
    if since_log_ms is not None:
        rows = rows.filter(pl.col("log_ms") >= since_log_ms)
    return rows.with_columns(partition=pl.lit(file.partition, pl.Int32))


def rows_of(folder: Path, span: Range) -> pl.DataFrame:
    """The rows of SCHEMA that `span` holds, from the file that bears its name or from the one
    that this was merged into since it was listed. Raises LakeDamaged."""
    rows = _of_holder(folder, span, whole_rows)
    return rows.filter(pl.col("offset").is_between(span.start, span.stop, closed="left"))


def _of_holder(folder: Path, span: Range, read: Callable[[Path, Range], T]) -> T:
    """What `read` has from the file that now holds `span`."""
    holder = span
    while True:
        try:
            return read(folder, holder)
        except FileNotFoundError:
            holder = _holder(folder, holder)


def _holder(folder: Path, gone: Range) -> Range:
    """The range that `gone` was merged into since it was listed. Raises LakeDamaged."""
    for span in in_force(folder):
        if span.holds(gone) and span != gone:
            return span
    raise LakeDamaged(f"{folder / gone.file_name} is gone, and no larger file holds its range")
