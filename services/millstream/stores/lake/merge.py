"""Many small files of a partition become one, so that reading stays fast.

Order, each step safe to stop after: 1. write the merged file under another name and sync it,
2. rename it (from here readers ignore the files it holds), 3. remove those files. A reader
that had listed them before step 3 finds their records in the merged file (`read.py`)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from millstream.stores.lake.ranges import Range, in_force, partition_dir
from millstream.stores.lake.whole_file import NEWEST, OLDEST, whole_rows
from millstream.stores.lake.write import LakeWriter, appear

FEWEST_FILES = 8
MOST_OFFSETS = 50_000
"""A file stops growing here: it bounds what a reader holds in memory of one partition."""


def merge_small(lake: LakeWriter, topic: str, partition: int) -> Range | None:
    """At most one merge; returns the range of the merged file. May block on the disk. Raises
    LakeDamaged, and then all files stand as they were."""
    folder = partition_dir(lake.root, topic, partition)
    run = run_to_merge(in_force(folder))
    if not run:
        return None
    merged = Range(run[0].start, run[-1].stop)
    _merge(folder, run, folder / merged.file_name)
    for span in run:
        (folder / span.file_name).unlink()
    return merged


def run_to_merge(ranges: list[Range]) -> list[Range]:
    """The newest files if there are FEWEST_FILES too many of them, else nothing.

    Taken from the newest back, as long as a file is smaller than twice the sum of those
    after it: what stays is a geometric progression, as `git repack --geometric` makes it,
    so a record is rewritten a logarithmic number of times."""
    total, taken = 0, 0
    for span in reversed(ranges):
        if total + span.span > MOST_OFFSETS or (taken and span.span >= 2 * total):
            break
        total, taken = total + span.span, taken + 1
    return ranges[len(ranges) - taken :] if taken >= FEWEST_FILES else []


def _merge(folder: Path, run: list[Range], target: Path) -> None:
    # One at a time, for what is wrong with it: in the merged file that would look right.
    times = [whole_rows(folder, span)["log_ms"] for span in run]
    together = pl.concat(times)
    footer = {OLDEST: str(together.min()), NEWEST: str(together.max())}
    paths = [folder / span.file_name for span in run]
    rows = pl.scan_parquet(paths, hive_partitioning=False, glob=False)
    appear(target, lambda file: rows.sink_parquet(file, metadata=footer))
