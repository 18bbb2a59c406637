"""The files of the lake as ranges of offsets: `topic=<t>/partition=<p>/<from>-<to>.parquet`.

The file names are the only record of how far the lake has come. Every file that bears a
range's name is whole: it was written under another name, synced, then renamed. A file whose
range lies inside a larger one was merged into that one and counts no more."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from millstream.domain.errors import Halt

OLDEST, NEWEST = "millstream.oldest_log_ms", "millstream.newest_log_ms"
"""Names under which a file's footer tells the bounds of its log times."""

_NAME = re.compile(r"(\d{20})-(\d{20})\.parquet")
_MOST_LISTINGS = 100


class LakeDamaged(Halt):
    """The files of a partition overlap or leave a gap: someone else has written or removed."""


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """Offsets `[start, stop)` of one partition."""

    start: int
    stop: int

    @property
    def span(self) -> int:
        return self.stop - self.start

    @property
    def file_name(self) -> str:
        return f"{self.start:020d}-{self.stop:020d}.parquet"

    def holds(self, other: Range) -> bool:
        return self.start <= other.start and other.stop <= self.stop


def partition_dir(root: Path, topic: str, partition: int) -> Path:
    return root / f"topic={topic}" / f"partition={partition}"


def partitions(root: Path, topic: str) -> list[int]:
    """Those with a folder, in ascending order."""
    found = (root / f"topic={topic}").glob("partition=*")
    return sorted(int(folder.name.removeprefix("partition=")) for folder in found)


def in_force(folder: Path) -> list[Range]:
    """The ranges that count, ascending and adjacent. Raises LakeDamaged.

    A listing taken while files are merged may have missed the new name and the old ones too,
    so one is believed when the next says the same."""
    before = _names(folder)
    for _ in range(_MOST_LISTINGS):
        after = _names(folder)
        if after == before:
            return _adjacent(folder, outermost(after))
        before = after
    raise LakeDamaged(f"{folder} changed in each of {_MOST_LISTINGS} listings")


def _names(folder: Path) -> list[Range]:
    if not folder.is_dir():
        return []
    matches = (_NAME.fullmatch(entry.name) for entry in folder.iterdir())
    return sorted(Range(int(match[1]), int(match[2])) for match in matches if match)


def outermost(ranges: list[Range]) -> list[Range]:
    """`ranges` without those that lie inside another, ascending."""
    kept: list[Range] = []
    for candidate in sorted(ranges, key=lambda r: (r.start, -r.stop)):
        if not kept or not kept[-1].holds(candidate):
            kept.append(candidate)
    return kept


def _adjacent(folder: Path, ranges: list[Range]) -> list[Range]:
    for left, right in itertools.pairwise(ranges):
        if left.stop != right.start:
            raise LakeDamaged(f"{folder}: {left.file_name} is followed by {right.file_name}")
    return ranges


def log_time_bounds(path: Path) -> tuple[int, int]:
    """(oldest, newest) log time in ms of a file's records, from its footer. Raises LakeDamaged."""
    footer = pl.read_parquet_metadata(path)
    if OLDEST not in footer or NEWEST not in footer:
        raise LakeDamaged(f"{path} was not written by the lake")
    return int(footer[OLDEST]), int(footer[NEWEST])
