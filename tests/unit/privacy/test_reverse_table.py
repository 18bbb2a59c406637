"""The reverse table: opened by its keys alone, and gone from the file when it is destroyed."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from millstream.domain.errors import OperatorError
from millstream.privacy.reverse_table import (
    MASTER_BYTES,
    ReverseTable,
    create_master_key,
    load_master_key,
)
from millstream.stores.reverse_rows import SqliteRows

MASTER = b"m" * MASTER_BYTES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reverse" / "table.sqlite"


@pytest.fixture
def rows(path: Path) -> Iterator[SqliteRows]:
    with closing(SqliteRows(path)) as made:
        yield made


def test_what_was_remembered_is_told_also_to_the_next_process(path: Path, rows: SqliteRows) -> None:
    ReverseTable(rows, MASTER).remember("shop", "p1", "ann@example.org")
    with closing(SqliteRows(path)) as again:
        table = ReverseTable(again, MASTER)
        assert table.raw_id("shop", "p1") == "ann@example.org"
        assert table.raw_id("other", "p1") is None
        assert table.raw_id("shop", "p2") is None


def test_the_file_holds_neither_the_raw_id_nor_the_master_key(path: Path, rows: SqliteRows) -> None:
    ReverseTable(rows, MASTER).remember("shop", "p1", "ann@example.org")
    assert b"ann" not in path.read_bytes()
    assert MASTER[:8] not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_entry_has_a_key_of_its_own(rows: SqliteRows) -> None:
    table = ReverseTable(rows, MASTER)
    table.remember("shop", "p1", "same")
    table.remember("shop", "p2", "same")
    one, two = rows.get("shop", "p1"), rows.get("shop", "p2")
    assert one is not None
    assert two is not None
    assert one[0] != two[0]
    assert one[1] != two[1]


def test_destroyed_is_gone_from_the_bytes_of_the_file(path: Path, rows: SqliteRows) -> None:
    table = ReverseTable(rows, MASTER)
    for number in range(200):
        table.remember("shop", f"p{number}", f"raw-{number}")
    row = rows.get("shop", "p77")
    assert row is not None
    assert all(part in path.read_bytes() for part in row)
    assert table.destroy("shop", "p77")
    assert not table.destroy("shop", "p77")
    assert not table.holds("shop", "p77")
    assert table.raw_id("shop", "p77") is None
    for file in path.parent.iterdir():
        assert not any(part in file.read_bytes() for part in row), f"still in {file.name}"
    assert table.raw_id("shop", "p78") == "raw-78"


def test_an_entry_that_comes_back_from_a_backup_without_its_key_stays_closed(
    rows: SqliteRows,
) -> None:
    table = ReverseTable(rows, MASTER)
    table.remember("shop", "p1", "ann")
    table.remember("shop", "p2", "bob")
    one, two = rows.get("shop", "p1"), rows.get("shop", "p2")
    assert one is not None
    assert two is not None
    table.destroy("shop", "p1")
    rows.put("shop", [("p1", two[0], one[1])])  # the sealed id under another key
    with pytest.raises(OperatorError, match="does not open"):
        table.raw_id("shop", "p1")


def test_rows_that_changed_places_are_noticed(rows: SqliteRows) -> None:
    table = ReverseTable(rows, MASTER)
    table.remember("shop", "p1", "ann")
    row = rows.get("shop", "p1")
    assert row is not None
    rows.put("shop", [("p2", *row)])
    with pytest.raises(OperatorError, match="does not open"):
        table.raw_id("shop", "p2")


def test_another_master_key_opens_nothing_and_overwrites_nothing(rows: SqliteRows) -> None:
    ReverseTable(rows, MASTER).remember("shop", "p1", "ann")
    other = ReverseTable(rows, b"x" * MASTER_BYTES)
    with pytest.raises(OperatorError, match="MILLSTREAM_REVERSE_MASTER_KEY"):
        other.remember("shop", "p1", "eve")
    assert ReverseTable(rows, MASTER).raw_id("shop", "p1") == "ann"


def test_many_threads_and_two_connections_remember_once(path: Path, rows: SqliteRows) -> None:
    with closing(SqliteRows(path)) as second, ThreadPoolExecutor(8) as pool:
        tables = (ReverseTable(rows, MASTER), ReverseTable(second, MASTER))
        jobs = [(tables[n % 2], f"p{n % 10}") for n in range(60)]
        list(pool.map(lambda job: job[0].remember("shop", job[1], f"raw of {job[1]}"), jobs))
        assert {tables[0].raw_id("shop", f"p{n}") for n in range(10)} == {
            f"raw of p{n}" for n in range(10)
        }
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT count(*) FROM reverse").fetchone() == (10,)


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(b"something else" * 100)
    path.chmod(0o600)
    with pytest.raises(OperatorError, match="SQLite"):
        SqliteRows(path)
    assert path.read_bytes() == b"something else" * 100


def test_a_master_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    create_master_key(path)
    made = load_master_key(path)
    assert len(made) == MASTER_BYTES
    with pytest.raises(FileExistsError):
        create_master_key(path)
    assert load_master_key(path) == made


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_table_that_others_can_read_is_refused(path: Path, mode: int) -> None:
    SqliteRows(path).close()
    path.chmod(mode)
    with pytest.raises(OperatorError, match="mode 0600"):
        SqliteRows(path)
