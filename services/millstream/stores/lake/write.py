"""One writer appends ranges to the lake, each in one file that appears whole or not at all."""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from millstream.domain.errors import Halt, OperatorError
from millstream.domain.log import LogRecord
from millstream.stores.lake.frames import to_frame
from millstream.stores.lake.ranges import Range, in_force, listed, partition_dir
from millstream.stores.lake.whole_file import NEWEST, OLDEST

UNFINISHED = ".unfinished"


class RangeRefused(Halt):
    """A range that overlaps the lake, leaves a gap, or has records outside itself."""


class LakeWriter:
    """Holds the lake's lock from construction to `close`. Every method may block on the disk."""

    def __init__(self, root: Path) -> None:
        """Removes what a crash left behind. Raises OperatorError if another writer is at work,
        LakeDamaged where files overlap or leave a gap."""
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self._lock = _lock(root)
        self._next: dict[tuple[str, int], int] = {}
        try:
            for folder in root.glob("topic=*/partition=*"):
                sweep(folder)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def next_offset(self, topic: str, partition: int) -> int | None:
        """Where the next range must start; None if the lake has nothing of the partition."""
        place = (topic, partition)
        if place not in self._next:
            ranges = in_force(partition_dir(self.root, topic, partition))
            if not ranges:
                return None
            self._next[place] = ranges[-1].stop
        return self._next[place]

    def write(self, topic: str, partition: int, span: Range, records: Sequence[LogRecord]) -> Path:
        """The records of `[span.start, span.stop)`, at least one, offsets rising; holes are
        allowed (a transaction's markers). On the disk when it returns. Raises RangeRefused."""
        self._check(topic, partition, span, records)
        folder = partition_dir(self.root, topic, partition)
        _make_durable(folder, self.root)
        times = [record.log_ms for record in records]
        bounds = {OLDEST: str(min(times)), NEWEST: str(max(times))}
        path = folder / span.file_name
        appear(path, lambda file: to_frame(records).write_parquet(file, metadata=bounds))
        self._next[topic, partition] = span.stop
        return path

    def _check(self, topic: str, partition: int, span: Range, records: Sequence[LogRecord]) -> None:
        place = f"topic {topic} partition {partition} range [{span.start},{span.stop})"
        expected = self.next_offset(topic, partition)
        if expected is not None and span.start < expected:
            raise RangeRefused(f"{place}: overlaps the lake, which ends at {expected}")
        if expected is not None and span.start > expected:
            raise RangeRefused(f"{place}: leaves a gap after the lake's end at {expected}")
        offsets = [record.offset for record in records]
        bounds = [span.start - 1, *offsets, span.stop]
        if not offsets or any(a >= b for a, b in itertools.pairwise(bounds)):
            raise RangeRefused(f"{place}: its offsets do not rise inside the range")
        if any(r.topic != topic or r.partition != partition for r in records):
            raise RangeRefused(f"{place}: has a record of another partition")


def appear(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Fills a file under another name, syncs it, renames it to `path`, syncs the folder."""
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with unfinished.open("wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sweep(folder: Path) -> None:
    """Removes unfinished files and those that were merged into a larger one; what bears no range's
    name is not the lake's, and may be all that an operator has kept of a damaged file."""
    for leftover in folder.glob(f"*{UNFINISHED}"):
        leftover.unlink()
    for span in set(listed(folder)) - set(in_force(folder)):
        (folder / span.file_name).unlink()


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make_durable(folder: Path, root: Path) -> None:
    if folder.is_dir():
        return
    folder.mkdir(parents=True)
    sync_folder(folder.parent)
    sync_folder(root)


def _lock(root: Path) -> BinaryIO:
    file = (root / ".lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise OperatorError(
            "the lake's folder",
            f"{root}, which another lake process is writing",
            "one writer for a folder",
            "stop the other process or set MILLSTREAM_LAKE_DIR to another folder",
        ) from None
    return file
