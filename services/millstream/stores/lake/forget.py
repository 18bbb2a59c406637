"""Erased shoppers leave the lake: their records give way to blanks, file by file.

A file is written anew under another name, synced and renamed over the old one, so a crash leaves
either. Which erasures have been through all files is a list of digests beside them; a crash
before its line is written has the pass made again, which changes nothing."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from millstream.domain.acceptance import Shopper
from millstream.domain.erasures import Marks, Read, event_of, is_covered
from millstream.domain.identity import record_key
from millstream.stores.lake.blank import FORGOTTEN
from millstream.stores.lake.frames import SCHEMA, to_records
from millstream.stores.lake.ranges import Range, in_force, partition_dir, partitions
from millstream.stores.lake.read import rows_of
from millstream.stores.lake.whole_file import NEWEST, OLDEST, log_time_bounds, whole_rows
from millstream.stores.lake.write import LakeWriter, appear, sync_folder

DONE_NAME = ".forgotten"

_PLAIN = re.compile(r"~?[A-Za-z0-9_.-]+")  # ids that JSON writes in one way, or with \u
_MOST_SOUGHT = 32


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a pass did: erasures that it was for, files written anew, records blanked."""

    erasures: int = 0
    files: int = 0
    records: int = 0


def forget(lake: LakeWriter, topic: str, marks: Marks, read: Read = event_of) -> Forgotten:
    """Blanks what `marks` cover in all files of the topic, unless that was done before; `read` as
    for is_covered. For the writer's own thread of work, between a write and the next. What is
    written later is the writer's to blank. Blocks on the disk: some 0.2 s for 50,000 records, more
    where many are erased at once. Raises LakeDamaged, and then the pass is made again."""
    done = _read_done(lake.root)
    new = {name: at for name, at in marks.items() if _digest(topic, name, at) not in done}
    if not new:
        return Forgotten()
    blanks = [
        _blank_in(folder, span, (topic, read), new)
        for partition in partitions(lake.root, topic)
        for folder in [partition_dir(lake.root, topic, partition)]
        for span in in_force(folder)
    ]
    _write_done(lake.root, [_digest(topic, name, at) for name, at in new.items()])
    return Forgotten(len(new), sum(n > 0 for n in blanks), sum(blanks))


def is_forgotten(root: Path, topic: str, marks: Marks) -> bool:
    """Whether the lake's writer has been through all files for each of these."""
    done = _read_done(root)
    return all(_digest(topic, name, at) in done for name, at in marks.items())


def remembered(root: Path, topic: str, marks: Marks, read: Read = event_of) -> int:
    """Records in the files that `marks` cover; may run beside the writer. Reads every file, and
    blocks as `forget` does."""
    return sum(
        len(_covered(rows_of(folder, span), (topic, read), marks))
        for partition in partitions(root, topic)
        for folder in [partition_dir(root, topic, partition)]
        for span in in_force(folder)
    )


def _covered(frame: pl.DataFrame, kind: tuple[str, Read], marks: Marks) -> list[int]:
    """The offsets of the records that `marks` cover."""
    topic, read = kind
    suspects = frame.filter(_may_name(marks)).with_columns(partition=pl.lit(0, pl.Int32))
    return [r.offset for r in to_records(topic, suspects) if is_covered(r, marks, read)]


def _blank_in(folder: Path, span: Range, kind: tuple[str, Read], marks: Marks) -> int:
    """Returns how many records were blanked; the file stays as it is where none was."""
    path, frame = folder / span.file_name, whole_rows(folder, span)
    gone = _covered(frame, kind, marks)
    if not gone:
        return 0
    blank = pl.col("offset").is_in(gone)
    mark = pl.lit([{"name": FORGOTTEN, "value": None}], dtype=SCHEMA["headers"])
    rows = frame.with_columns(
        key=pl.when(~blank).then("key"),
        value=pl.when(~blank).then("value"),
        headers=pl.when(blank).then(mark).otherwise("headers"),
    )
    oldest, newest = log_time_bounds(folder, span)
    footer = {OLDEST: str(oldest), NEWEST: str(newest)}
    appear(path, lambda file: rows.write_parquet(file, metadata=footer))
    return len(gone)


def _may_name(marks: Marks) -> pl.Expr:
    """True for all rows that could be covered: few ids are sought as bytes, which is a hundred
    times quicker than to decode every row."""
    ids = {shopper.removeprefix("~") for _, shopper in marks}
    if len(ids) > _MOST_SOUGHT or not all(_PLAIN.fullmatch(one) for one in ids):
        return pl.lit(value=True)
    named = pl.col("key").is_in([record_key(*name) for name in marks])
    named |= pl.col("value").bin.contains(b"\\u")
    for one in ids:
        named |= pl.col("value").bin.contains(one.encode())
    return named.fill_null(value=False)


def _digest(topic: str, name: Shopper, mark: int) -> str:
    """Names an erasure without naming the shopper."""
    text = "\n".join((topic, *name, str(mark)))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _read_done(root: Path) -> frozenset[str]:
    # A line that a crash cut short is no digest, and the pass is made again.
    try:
        return frozenset((root / DONE_NAME).read_text(encoding="ascii").split("\n"))
    except FileNotFoundError:
        return frozenset()


def _write_done(root: Path, digests: list[str]) -> None:
    with (root / DONE_NAME).open("a", encoding="ascii") as file:
        # The line break comes first: it closes what a crash may have left of the last line.
        file.write("".join(f"\n{digest}" for digest in digests))
        file.flush()
        os.fsync(file.fileno())
    sync_folder(root)
