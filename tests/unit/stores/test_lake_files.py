"""Writing, reading and merging: what went in comes out once, whatever stops the writer."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from millstream.domain.errors import OperatorError
from millstream.domain.log import LogRecord
from millstream.stores.lake import (
    LakeDamaged,
    LakeWriter,
    Range,
    RangeRefused,
    last_record,
    merge_small,
    offsets,
    ranges,
    records,
)
from millstream.stores.lake import read as reading
from millstream.stores.lake.merge import FEWEST_FILES
from millstream.stores.lake.ranges import partition_dir

TOPIC = "shop.events.v1"


def record(offset: int, partition: int = 0, log_ms: int | None = None) -> LogRecord:
    when = offset if log_ms is None else log_ms
    return LogRecord(TOPIC, partition, offset, when, b"k", b"v%d" % offset)


def write(lake: LakeWriter, start: int, stop: int, partition: int = 0) -> None:
    rows = [record(offset, partition) for offset in range(start, stop)]
    lake.write(TOPIC, partition, Range(start, stop), rows)


def read_offsets(root: Path) -> list[int]:
    return [found.offset for found in records(root, TOPIC)]


def test_next_start_is_the_last_stop_also_for_the_next_process(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as lake:
        assert lake.next_offset(TOPIC, 0) is None
        write(lake, 5, 9)
        lake.write(TOPIC, 0, Range(9, 20), [record(12)])  # markers around it
    with LakeWriter(tmp_path) as lake:
        assert lake.next_offset(TOPIC, 0) == 20
    assert offsets(tmp_path, TOPIC) == {0: 20}
    assert read_offsets(tmp_path) == [5, 6, 7, 8, 12]
    assert last_record(tmp_path, TOPIC, 0) == record(12)


@pytest.mark.parametrize(
    ("span", "rows", "why"),
    [
        (Range(9, 11), [record(9), record(10)], "overlaps"),
        (Range(11, 12), [record(11)], "gap"),
        (Range(10, 12), [], "do not rise inside"),
        (Range(10, 12), [record(12)], "do not rise inside"),
        (Range(10, 12), [record(9)], "do not rise inside"),
        (Range(10, 12), [record(11), record(10)], "do not rise inside"),
        (Range(10, 12), [record(10), record(10)], "do not rise inside"),
        (Range(10, 12), [record(10, partition=1)], "another partition"),
    ],
)
def test_a_range_that_does_not_fit_is_refused_and_leaves_nothing(
    tmp_path: Path, span: Range, rows: list[LogRecord], why: str
) -> None:
    with LakeWriter(tmp_path) as lake:
        write(lake, 0, 10)
        with pytest.raises(RangeRefused, match=why):
            lake.write(TOPIC, 0, span, rows)
        assert lake.next_offset(TOPIC, 0) == 10
    assert read_offsets(tmp_path) == list(range(10))


def test_what_a_crash_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    folder = partition_dir(tmp_path, TOPIC, 0)
    with LakeWriter(tmp_path) as lake:
        write(lake, 0, 2)
        write(lake, 2, 4)
        parts = {path: path.read_bytes() for path in folder.glob("*.parquet")}
        unfinished = folder / f"{Range(4, 6).file_name}.unfinished"
        unfinished.write_bytes(b"half a fi")
    merged = folder / Range(0, 4).file_name
    with_both = pl.concat([pl.read_parquet(path) for path in sorted(parts)])
    footer = {"millstream.oldest_log_ms": "0", "millstream.newest_log_ms": "3"}
    with_both.write_parquet(merged, metadata=footer)
    assert read_offsets(tmp_path) == [0, 1, 2, 3], "a reader counts the parts of a merge again"
    with LakeWriter(tmp_path) as lake:
        assert lake.next_offset(TOPIC, 0) == 4
        assert [path.name for path in folder.iterdir()] == [merged.name]


def test_a_write_that_fails_leaves_no_file_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    with LakeWriter(tmp_path) as lake:
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full_disk)
            patch.setattr("millstream.stores.lake.write.sync_folder", lambda _: None)
            with pytest.raises(OSError, match="No space"):
                write(lake, 0, 3)
        assert not list(partition_dir(tmp_path, TOPIC, 0).iterdir())
        write(lake, 0, 3)
    assert read_offsets(tmp_path) == [0, 1, 2]


def test_one_writer_for_a_root(tmp_path: Path) -> None:
    with LakeWriter(tmp_path), pytest.raises(OperatorError, match="another lake process"):
        LakeWriter(tmp_path)
    LakeWriter(tmp_path).close()


def test_a_file_that_somebody_removed_is_noticed(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as lake:
        for start in range(0, 6, 2):
            write(lake, start, start + 2)
    (partition_dir(tmp_path, TOPIC, 0) / Range(2, 4).file_name).unlink()
    with pytest.raises(LakeDamaged, match="is followed by"):
        list(records(tmp_path, TOPIC))


@pytest.mark.parametrize("seen", [[], [Range(2, 4)], [Range(0, 2)]])
def test_a_listing_torn_by_a_merge_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: list[Range]
) -> None:
    with LakeWriter(tmp_path) as lake:
        write(lake, 0, 2)
        write(lake, 2, 4)
    names, torn = ranges.listed, [seen, [Range(0, 2), Range(2, 4)], seen]
    monkeypatch.setattr(ranges, "listed", lambda folder: torn.pop() if torn else names(folder))
    assert offsets(tmp_path, TOPIC) == {0: 4}
    assert not torn


def test_a_file_from_elsewhere_is_noticed(tmp_path: Path) -> None:
    folder = partition_dir(tmp_path, TOPIC, 0)
    folder.mkdir(parents=True)
    pl.DataFrame({"offset": [0]}).write_parquet(folder / Range(0, 1).file_name)
    with pytest.raises(LakeDamaged, match="not written by the lake"):
        list(records(tmp_path, TOPIC))


def test_a_reader_that_listed_before_a_merge_still_reads_each_record_once(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as lake:
        for start in range(0, 2 * FEWEST_FILES, 2):
            write(lake, start, start + 2)
        reader = records(tmp_path, TOPIC)
        # The plan is made at the first record; the second file is opened after the merge.
        rows_of = reading._rows
        merged: list[Range | None] = []

        def merge_then_read(file: reading._Stored, since: int | None) -> pl.DataFrame:
            if not merged:
                merged.append(merge_small(lake, TOPIC, 0))
            return rows_of(file, since)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "_rows", merge_then_read)
            found = [r.offset for r in reader]
    assert merged == [Range(0, 2 * FEWEST_FILES)]
    assert found == list(range(2 * FEWEST_FILES))


def test_the_hive_columns_are_there_for_other_tools(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as lake:
        write(lake, 0, 2, partition=0)
        write(lake, 0, 1, partition=11)
    found = pl.read_parquet(tmp_path / "**/*.parquet", hive_partitioning=True)
    assert found.select("topic", "partition", "offset").sort("partition", "offset").rows() == [
        (TOPIC, 0, 0),
        (TOPIC, 0, 1),
        (TOPIC, 11, 0),
    ]


@pytest.mark.parametrize("at_once", [1, 3])
def test_order_over_partitions_holds_when_rows_go_out_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("millstream.stores.lake.read._ROWS_AT_ONCE", at_once)
    times = {0: [5, 5, 9, 3, 9, 9, 30, 7, 31, 29], 1: [5, 1, 9, 3, 9, 2, 30, 7, 31, 29]}
    with LakeWriter(tmp_path) as lake:
        for partition in (1, 0):
            for start in range(0, 10, 2):
                rows = [record(o, partition, times[partition][o]) for o in (start, start + 1)]
                lake.write(TOPIC, partition, Range(start, start + 2), rows)
    found = [(r.log_ms, r.partition, r.offset) for r in records(tmp_path, TOPIC)]
    assert found == sorted((times[p][o], p, o) for p in (0, 1) for o in range(10))
