from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from millstream.domain.errors import OperatorError
from millstream.domain.events import EventType
from millstream.local.stream_recordings import stream_recording
from millstream.trainer.stream.parts import parts_of
from millstream.trainer.stream.rows import rows_of


def _write(path: Path, text: str) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(text)


def test_a_folder_that_is_none_of_those_known_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(OperatorError, match=r"events\.csv.*online_retail\.csv.*test_prefix"):
        stream_recording(tmp_path, 0.8)


def test_retailrocket_events_are_told_in_time_order(tmp_path: Path) -> None:
    rows = [f"{user},{item},view,{1_430_000_000 - user}" for user in range(9) for item in (1, 2)]
    (tmp_path / "events.csv").write_text("user,item,event,timestamp\n" + "\n".join(rows))
    recording = stream_recording(tmp_path, 0.8)
    times = [event.time for event in recording.events]
    assert recording.name == "retailrocket-events"
    assert times == sorted(times)
    assert len(times) == 18
    assert recording.split == 14
    assert stream_recording(tmp_path, 0.2).split == 3


def test_online_retail_is_its_invoices_without_made_up_views(tmp_path: Path) -> None:
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    lines = [
        f"{number},{code},THING,{quantity},2011-01-{day:02d} 10:00:00,2.5,17850.0,UK"
        for number, code, quantity, day in (
            ("2", "B", 1, 2),
            ("2", "C", 1, 2),
            ("1", "A", 1, 1),
            ("C3", "A", -1, 3),
        )
    ]
    _write(tmp_path / "online_retail.csv.gz", header + "\n".join(lines) + "\n")
    recording = stream_recording(tmp_path, 0.8)
    assert recording.name == "online-retail"
    kinds = [(event.type, len(event.items)) for event in recording.events]
    assert kinds == [(EventType.PURCHASE, 1), (EventType.PURCHASE, 2), (EventType.REFUND, 1)]
    assert [row.wanted for row in rows_of(recording.events)] == [("A",), ("B", "C"), ()]


def test_sessions_ask_each_row_of_the_test_file_once_and_in_time_order(tmp_path: Path) -> None:
    _write(tmp_path / "train_sessions.txt.gz", "1 2 3\n2 3 4 5\n" * 20)
    test = [
        ([9, 2, 9], 3, 2_000, 7),
        ([9, 2], 9, 2_000, 7),
        ([1, 1, 2, 4], 5, 1_000, 8),
        ([1, 1, 2], 4, 1_000, 8),
        ([1, 1], 2, 1_000, 8),
    ]
    lines = [
        f"{' '.join(map(str, prefix))}\t{target}\t{1_441_940_000 + seconds}\t{session}"
        for prefix, target, seconds, session in test
    ]
    _write(tmp_path / "test_prefix_target.tsv.gz", "\n".join(lines) + "\n")
    recording = stream_recording(tmp_path, 0.8)
    parts = parts_of(recording)
    assert (len(parts.before) + len(parts.held_out)) == recording.split == 7 * 20
    asked = [([t.item_id for t in row.recent], row.wanted) for row in parts.asked(parts.test)]
    assert asked == [
        (["1"], ("2",)),
        (["2", "1"], ("4",)),
        (["4", "2", "1"], ("5",)),
        (["2", "9"], ("9",)),
        (["9", "2"], ("3",)),
    ]
    assert recording.events[recording.split - 1].time < recording.events[recording.split].time


def test_sessions_without_times_are_refused_with_what_to_do(tmp_path: Path) -> None:
    _write(tmp_path / "train_sessions.txt.gz", "1 2\n")
    _write(tmp_path / "test_prefix_target.tsv.gz", "1 2\t3\n")
    with pytest.raises(OperatorError, match="evaluate sessions"):
        stream_recording(tmp_path, 0.8)
