"""The files of the lake as ranges of offsets: `topic=<t>/partition=<p>/<from>-<to>.parquet`.

The file names are the only record of how far the lake has come. Every file that bears a
range's name is whole: it was written under another name, synced, then renamed. A file whose
range lies inside a larger one was merged into that one and counts no more."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from millstream.domain.errors import Halt

_NAME = re.compile(r"(\d{20})-(\d{20})\.parquet")
_PARTITION = re.compile(r"partition=(0|[1-9]\d*)")
_MOST_LISTINGS = 100


class LakeDamaged(Halt):
    """Files overlap or leave a gap, one can't be read or is not the lake's: the disk failed, or
    someone else has written or removed."""


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
    """Those with a folder, in ascending order. Raises LakeDamaged for a folder that is named nearly
    so: what is in it may be missing elsewhere."""
    return sorted(map(_number, (root / f"topic={topic}").glob("partition=*")))


def _number(folder: Path) -> int:
    named = _PARTITION.fullmatch(folder.name)
    if named is None:
        raise LakeDamaged(
            f"lake folder {folder}: expected a name like partition=0. Move a copy out of the lake, "
            "and give back its name to what was renamed"
        )
    return int(named[1])


def in_force(folder: Path) -> list[Range]:
    """The ranges that count, ascending and adjacent. Raises LakeDamaged.

    A listing taken while files are merged may have missed the new name and the old ones too,
    so one is believed when the next says the same."""
    before = listed(folder)
    for _ in range(_MOST_LISTINGS):
        after = listed(folder)
        if after == before:
            return _adjacent(folder, outermost(after))
        before = after
    raise LakeDamaged(f"{folder} changed in each of {_MOST_LISTINGS} listings")


def listed(folder: Path) -> list[Range]:
    """All that bear a range's name, also those inside a larger one."""
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
