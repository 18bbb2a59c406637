"""One file of the lake, whole, or the file named that is not.

Nothing is passed over: what is missing here would be missing from all that is counted of the lake,
and an erase among it would bring back what its shopper did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import polars as pl

from millstream.stores.lake.frames import SCHEMA
from millstream.stores.lake.ranges import LakeDamaged, Range

OLDEST, NEWEST = "millstream.oldest_log_ms", "millstream.newest_log_ms"
"""Names under which a file's footer tells the bounds of its log times."""

_NEVER_NULL = ("offset", "log_ms", "headers")
# A panic is what Polars ends with on some broken bytes; it is no Exception.
_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def whole_rows(folder: Path, span: Range) -> pl.DataFrame:
    """All rows of the file that bears `span`'s name, SCHEMA. Blocks on the disk. Raises
    LakeDamaged, and FileNotFoundError where there is none."""
    path = folder / span.file_name
    # Opened once: under the name another file may appear, in which records are blank.
    with _opened(path) as file:
        _require_columns(path, file)
        bounds = _bounds(path, file)
        rows = _scanned(file).collect()
    fault = _fault(rows, span)
    if fault is None and (rows["log_ms"].min(), rows["log_ms"].max()) != bounds:
        fault = "log times other than its footer tells"
    if fault is not None:
        raise _damaged(path, fault)
    return rows.select(*SCHEMA)


def last_row(folder: Path, span: Range) -> pl.DataFrame:
    """Of that file, without looking at the others; raises as `whole_rows` does."""
    path = folder / span.file_name
    with _opened(path) as file:
        _require_columns(path, file)
        row = _scanned(file).tail(1).collect()
    if fault := _fault(row, span):
        raise _damaged(path, fault)
    return row


def log_time_bounds(folder: Path, span: Range) -> tuple[int, int]:
    """(oldest, newest) log time in ms of that file's records, from its footer; raises as
    `whole_rows` does."""
    path = folder / span.file_name
    with _opened(path) as file:
        return _bounds(path, file)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """What fails inside for the file's sake is told of it."""
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise
    except _UNREADABLE as error:
        # Their own words may hold what stands in a row.
        raise _damaged(path, f"no Parquet that can be read ({type(error).__name__})") from None


def _scanned(file: BinaryIO) -> pl.LazyFrame:
    file.seek(0)
    return pl.scan_parquet(file, hive_partitioning=False, glob=False)


def _require_columns(path: Path, file: BinaryIO) -> None:
    file.seek(0)
    found = dict(pl.read_parquet_schema(file))
    if found != SCHEMA:
        raise _damaged(path, f"the columns {_told(found)}", _told(SCHEMA))


def _told(columns: dict[str, pl.DataType]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def _bounds(path: Path, file: BinaryIO) -> tuple[int, int]:
    file.seek(0)
    footer = pl.read_parquet_metadata(file)
    if OLDEST not in footer or NEWEST not in footer:
        raise _damaged(path, "a file that was not written by the lake")
    return int(footer[OLDEST]), int(footer[NEWEST])


def _fault(rows: pl.DataFrame, span: Range) -> str | None:
    """What the writer would never have written of `span`."""
    if rows.is_empty():
        return "no rows"
    for name in _NEVER_NULL:
        if rows[name].null_count():
            return f"null in column {name}"
    nameless = pl.element().struct.field("name").is_null()
    if rows.select(pl.col("headers").list.eval(nameless).list.any().any()).item():
        return "a header without a name"
    offsets = rows["offset"]
    if offsets[0] < span.start or offsets[-1] >= span.stop or (offsets.diff() < 1).any():
        return "offsets that do not rise inside its range"
    return None


def _damaged(path: Path, found: str, expected: str = "a file as the lake writes it") -> LakeDamaged:
    return LakeDamaged(
        f"lake file {path}: got {found}; expected {expected}. Put it back from a copy of the "
        "lake's folder; without one, see deploy/runbooks/lake-behind.md"
    )
