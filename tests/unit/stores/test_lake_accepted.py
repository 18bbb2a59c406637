"""The accepted rows: one for each line, by the rule that the recommenders follow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest

from millstream.domain.acceptance import WINDOW_MS
from millstream.domain.events import Event, EventType, Line
from millstream.domain.log import LogRecord
from millstream.stores.lake import (
    ACCEPTED_SCHEMA,
    LakeWriter,
    Range,
    accepted_counts,
    read_accepted,
)
from millstream.stores.lake import accepted as accepting
from millstream.stores.lake import read as reading
from millstream.stores.lake.whole_file import whole_rows

TOPIC = "shop.events.v1"
START = 1_767_268_800_000
VIEW, BUY = EventType.VIEW_ITEM, EventType.PURCHASE


Row = tuple[int, Event | bytes]


def event(
    event_id: str, at: int, kind: EventType = VIEW, user: str = "u", tenant: str = "default"
) -> Event:
    lines = {
        VIEW: (Line("i"),),
        BUY: (Line("i", 2, 9.5), Line("j")),
        EventType.ERASE: (),
    }[kind]
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    return Event(
        event_id=event_id, type=kind, time=moment, tenant=tenant, user_id=user, items=lines
    )


def store(root: Path, by_partition: Sequence[Sequence[Row]]) -> None:
    with LakeWriter(root) as lake:
        for partition, rows in enumerate(by_partition):
            records = [
                LogRecord(TOPIC, partition, offset, log_ms, b"k", encoded(what))
                for offset, (log_ms, what) in enumerate(rows)
            ]
            lake.write(TOPIC, partition, Range(0, len(records)), records)


def encoded(what: Event | bytes) -> bytes:
    return what if isinstance(what, bytes) else msgspec.json.encode(what)


def test_a_row_for_each_line_of_what_counts_in_log_time_order(tmp_path: Path) -> None:
    first: list[Row] = [
        (START + 5, event("b", START + 4, BUY)),
        (START + 6, b"not json"),
        (START + 7, event("x", START, tenant="other")),
    ]
    second: list[Row] = [
        (START + 1, event("a", START)),
        (START + 9, event("b", START + 4, BUY)),  # a retry on another partition
    ]
    store(tmp_path, [first, second])
    rows = read_accepted(tmp_path, TOPIC, "default")
    assert dict(rows.schema) == ACCEPTED_SCHEMA
    assert rows.rows() == [
        ("u", "a", "view_item", "i", None, 1, START, START + 1, None),
        ("u", "b", "purchase", "i", 9.5, 2, START + 4, START + 5, None),
        ("u", "b", "purchase", "j", None, 1, START + 4, START + 5, None),
    ]


def test_a_country_stands_beside_its_lines_where_it_reads_like_one(tmp_path: Path) -> None:
    told = ("GB", "gb", "GBR", "G\n", 44, None)
    events = [
        msgspec.structs.replace(event(f"e{n}", START + n), context={"country": one})
        for n, one in enumerate(told)
    ]
    store(tmp_path, [[(START + n, one) for n, one in enumerate(events)]])
    rows = read_accepted(tmp_path, TOPIC, "default")
    assert rows["country"].to_list() == ["GB", None, None, None, None, None]


def test_a_lake_with_nothing_gives_an_empty_table(tmp_path: Path) -> None:
    rows = read_accepted(tmp_path, TOPIC, "default")
    assert rows.is_empty()
    assert dict(rows.schema) == ACCEPTED_SCHEMA


def test_a_window_knows_the_retries_of_events_before_it(tmp_path: Path) -> None:
    since = START + WINDOW_MS + 10
    rows: list[Row] = [
        (START, event("forgotten", START)),
        (since - 5, event("a", since - 6)),
        (since + 1, event("a", since - 6)),  # its first copy lies before the window
        (since + 2, event("b", since)),
    ]
    store(tmp_path, [rows])
    windowed = read_accepted(tmp_path, TOPIC, "default", since)
    assert windowed["event_id"].to_list() == ["b"]
    whole = read_accepted(tmp_path, TOPIC, "default")
    assert windowed.equals(whole.filter(pl.col("log_ms") >= since))


def test_the_erased_are_gone_up_to_their_erase_and_counted_from_it(tmp_path: Path) -> None:
    rows: list[Row] = [
        (START, event("a", START)),
        (START + 1, event("o", START + 1, user="other")),
        (START + 2, event("e", START + 2, EventType.ERASE)),
        (START + 3, event("late", START + 1)),  # done before the erase
        (START + 4, event("b", START + 4, BUY)),
    ]
    store(tmp_path, [rows])
    assert read_accepted(tmp_path, TOPIC, "default")["event_id"].to_list() == ["o", "b", "b"]
    counts = accepted_counts(tmp_path, TOPIC)
    assert counts.events == {0: 4}
    assert counts.lines == {0: 4}
    assert counts.shoppers == {
        ("default", "other", "view_item"): 1,
        ("default", "u", "purchase"): 1,
    }
    assert counts.items == {
        ("default", "i", "view_item"): 2,
        ("default", "i", "purchase"): 1,
        ("default", "j", "purchase"): 1,
    }


def test_columns_are_those_asked_for_and_the_erased_are_gone_all_the_same(tmp_path: Path) -> None:
    rows: list[Row] = [
        (START, event("a", START)),
        (START + 1, event("o", START + 1, BUY, user="other")),
        (START + 2, event("e", START + 2, EventType.ERASE)),
    ]
    store(tmp_path, [rows])
    asked = ("quantity", "item")
    found = read_accepted(tmp_path, TOPIC, "default", columns=asked)
    assert found.equals(read_accepted(tmp_path, TOPIC, "default").select(asked))
    assert found.rows() == [(2, "i"), (1, "j")]


def test_the_lake_is_read_shard_by_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake of any size needs no more memory than what is kept of it: when the first rows come,
    all but the first files are still unread."""
    files = 10
    with LakeWriter(tmp_path) as lake:
        for n in range(files):
            record = LogRecord(TOPIC, 0, n, START + n, b"k", encoded(event(f"e{n}", START + n)))
            lake.write(TOPIC, 0, Range(n, n + 1), [record])
    opened: list[Range] = []
    shards: list[tuple[int, int]] = []
    frame = accepting._frame

    def opening(folder: Path, span: Range) -> pl.DataFrame:
        opened.append(span)
        return whole_rows(folder, span)

    def framing(rows: list[accepting.Row]) -> pl.DataFrame:
        shards.append((len(rows), len(opened)))
        return frame(rows)

    monkeypatch.setattr(reading, "_ROWS_AT_ONCE", 1)
    monkeypatch.setattr(reading, "whole_rows", opening)
    monkeypatch.setattr(accepting, "_ROWS_AT_ONCE", 1)
    monkeypatch.setattr(accepting, "_frame", framing)
    rows = read_accepted(tmp_path, TOPIC, "default")
    assert rows["event_id"].to_list() == [f"e{n}" for n in range(files)]
    assert shards == [*((1, n + 1) for n in range(files)), (0, files)]
