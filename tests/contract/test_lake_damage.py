"""A file of the lake that is not as it was written is named by whoever reads it, and no record of
it is passed over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOON_MS, event
from tests.builders import record as consumed

from millstream.domain.log import LogRecord
from millstream.stores.lake import (
    LakeDamaged,
    LakeWriter,
    Range,
    forget,
    last_record,
    merge_small,
    offsets,
    read,
    records,
    remembered,
)
from millstream.stores.lake.in_order import held, records_in
from millstream.stores.lake.merge import FEWEST_FILES
from millstream.stores.lake.ranges import in_force, partition_dir
from millstream.stores.lake.whole_file import NEWEST, OLDEST

TOPIC = "shop.events.v1"
FILES, ROWS = FEWEST_FILES, 3
END = FILES * ROWS
MARKS = {("default", "ann"): NOON_MS + END}
DAMAGED = Range(ROWS, 2 * ROWS)


def stored(offset: int) -> LogRecord:
    value = consumed(event(f"e{offset}", "ann", at_ms=NOON_MS + offset)).value
    return LogRecord(TOPIC, 0, offset, NOON_MS + offset, b"k", value, (("h", b"1"),))


def fill(root: Path) -> Path:
    """Returns the file that is to be damaged: neither the first nor the last one."""
    with LakeWriter(root) as lake:
        for start in range(0, END, ROWS):
            rows = [stored(offset) for offset in range(start, start + ROWS)]
            lake.write(TOPIC, 0, Range(start, start + ROWS), rows)
    return partition_dir(root, TOPIC, 0) / DAMAGED.file_name


def written(path: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """By a tool that keeps the footer."""
    rows = pl.read_parquet(path, hive_partitioning=False)
    times = rows["log_ms"]
    change(rows).write_parquet(path, metadata={OLDEST: str(times.min()), NEWEST: str(times.max())})


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def another_footer(path: Path) -> None:
    pl.read_parquet(path, hive_partitioning=False).write_parquet(path, metadata={OLDEST: "0"})


def column(name: str, *values: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: rows.with_columns(pl.Series(name, values, dtype=rows.schema[name]))


NOW = NOON_MS
CHANGES: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "a column less": (lambda rows: rows.drop("value"), "columns"),
    "a column more": (lambda rows: rows.with_columns(extra=1), "columns"),
    "another type": (lambda rows: rows.with_columns(pl.col("offset").cast(pl.String)), "columns"),
    "no offset": (column("offset", 3, None, 5), "null in column offset"),
    "no log time": (column("log_ms", NOW + 3, None, NOW + 5), "null in column log_ms"),
    "no headers": (column("headers", None, [], []), "null in column headers"),
    "a nameless header": (
        column("headers", [], [{"name": None, "value": b"1"}], []),
        "header without a name",
    ),
    "an offset twice": (column("offset", 3, 3, 5), "do not rise"),
    "offsets of another file": (column("offset", 3, 4, 6), "do not rise"),
    "no rows": (lambda rows: rows.clear(), "no rows"),
    "a row less": (lambda rows: rows[1:], "log times"),
}
BYTES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "no Parquet"),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:-100]), "no Parquet"),
    "something else": (lambda path: path.write_bytes(b"offset,log_ms\n" * 99), "no Parquet"),
    "a folder": (a_folder, "no Parquet"),
    "of another tool": (another_footer, "not written by the lake"),
}


@pytest.fixture(params=[*BYTES, *CHANGES])
def damaged(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """The file and what is said of it."""
    path = fill(tmp_path)
    if request.param in BYTES:
        damage, said = BYTES[request.param]
        damage(path)
    else:
        change, said = CHANGES[request.param]
        written(path, change)
    return path, said


def by_the_writer(root: Path, work: Callable[[LakeWriter], object]) -> None:
    with LakeWriter(root) as lake:
        work(lake)


@pytest.mark.parametrize(
    "use",
    [
        lambda root: list(records(root, TOPIC)),
        lambda root: list(records(root, TOPIC, NOON_MS)),
        lambda root: list(records_in(root, TOPIC, 0, Range(ROWS + 1, END))),
        lambda root: remembered(root, TOPIC, MARKS),
        lambda root: by_the_writer(root, lambda lake: forget(lake, TOPIC, MARKS)),
        lambda root: by_the_writer(root, lambda lake: merge_small(lake, TOPIC, 0)),
    ],
    ids=["by time", "since", "by offset", "remembered", "forget", "merge"],
)
def test_who_reads_it_ends_with_its_name(
    damaged: tuple[Path, str], use: Callable[[Path], object]
) -> None:
    path, said = damaged
    with pytest.raises(LakeDamaged, match=said) as ended:
        use(path.parents[2])
    told = str(ended.value)
    assert str(path) in told
    assert "lake-behind.md" in told, "what to do"
    assert "ann" not in told.replace(str(path), "")


def test_no_file_is_lost_by_a_merge_that_ends_so(damaged: tuple[Path, str]) -> None:
    path, _ = damaged
    before = sorted(entry.name for entry in path.parent.iterdir())
    with pytest.raises(LakeDamaged):
        by_the_writer(path.parents[2], lambda lake: merge_small(lake, TOPIC, 0))
    assert sorted(entry.name for entry in path.parent.iterdir()) == before


def test_an_erasure_that_ends_so_is_not_held_for_done(tmp_path: Path) -> None:
    path = fill(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    with pytest.raises(LakeDamaged):
        by_the_writer(tmp_path, lambda lake: forget(lake, TOPIC, MARKS))
    path.write_bytes(whole)
    with LakeWriter(tmp_path) as lake:
        assert forget(lake, TOPIC, MARKS).erasures == 1
    assert list(records(tmp_path, TOPIC)) == []


@pytest.mark.parametrize("damage", [b"", b"PAR1"])
def test_the_last_record_is_told_whole_or_its_file_is_named(tmp_path: Path, damage: bytes) -> None:
    fill(tmp_path)
    path = partition_dir(tmp_path, TOPIC, 0) / Range(END - ROWS, END).file_name
    written(path, lambda rows: rows.clear())
    with pytest.raises(LakeDamaged, match="no rows"):
        last_record(tmp_path, TOPIC, 0)
    path.write_bytes(damage)
    with pytest.raises(LakeDamaged, match=path.name):
        last_record(tmp_path, TOPIC, 0)


def test_the_last_record_is_found_while_files_are_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path)
    listed = in_force(partition_dir(tmp_path, TOPIC, 0))
    with LakeWriter(tmp_path) as lake:
        assert merge_small(lake, TOPIC, 0)
    answers: Iterator[list[Range]] = iter([listed, [Range(0, END)]])
    monkeypatch.setattr(read, "in_force", lambda _: next(answers))
    assert last_record(tmp_path, TOPIC, 0) == stored(END - 1)


@pytest.mark.parametrize("name", ["partition=0.bak", "partition=00", "partition=", "partition=-1"])
def test_a_folder_that_is_nearly_a_partition_is_named(tmp_path: Path, name: str) -> None:
    folder = fill(tmp_path).parent.rename(tmp_path / f"topic={TOPIC}" / name)
    asked: list[Callable[[], Any]] = [
        lambda: offsets(tmp_path, TOPIC),
        lambda: held(tmp_path, TOPIC),
        lambda: list(records(tmp_path, TOPIC)),
        lambda: remembered(tmp_path, TOPIC, MARKS),
    ]
    for ask in asked:
        with pytest.raises(LakeDamaged) as ended:
            ask()
        assert str(folder) in str(ended.value)


def test_what_an_operator_laid_beside_the_files_is_neither_read_nor_removed(tmp_path: Path) -> None:
    path = fill(tmp_path)
    kept = path.with_name("damaged.parquet")
    kept.write_bytes(b"what is left")
    LakeWriter(tmp_path).close()
    assert kept.read_bytes() == b"what is left"
    assert [found.offset for found in records(tmp_path, TOPIC)] == list(range(END))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = fill(tmp_path_factory.mktemp("lake"))
    return path, path.read_bytes()


@given(kept=st.integers(0, 10_000))
def test_wherever_it_is_cut_off_it_is_named(whole: tuple[Path, bytes], kept: int) -> None:
    path, before = whole
    path.write_bytes(before[: kept % len(before)])
    with pytest.raises(LakeDamaged, match=path.name):
        list(records_in(path.parents[2], TOPIC, 0, Range(0, END)))
