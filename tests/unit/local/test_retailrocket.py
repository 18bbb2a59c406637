from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.errors import OperatorError
from millstream.domain.events import Event, EventType, check_event
from millstream.local.retailrocket import RetailRocketReplay, Row, bought, read_rows, refusal_of


def test_rows_become_events_in_time_order_after_their_items() -> None:
    rows = [
        Row("7", "70", "buy", "1430623600"),
        Row("7", "70", "view", "1430623510"),
        Row("7", "70", "cart", "1430623510"),
        Row("8", "71", "view", "1430623520"),
    ]
    steps = list(RetailRocketReplay().stream(rows))
    events = [step for step in steps if isinstance(step, Event)]
    assert [(event.event_id, event.type) for event in events] == [
        ("rr-7-70-view", EventType.VIEW_ITEM),
        ("rr-7-70-cart", EventType.ADD_TO_CART),
        ("rr-8-71-view", EventType.VIEW_ITEM),
        ("rr-7-70-buy", EventType.PURCHASE),
    ]
    assert [type(step) for step in steps] == [
        CatalogueItem,
        Event,
        Event,
        CatalogueItem,
        Event,
        Event,
    ]
    assert events[0].time.isoformat() == "2015-05-03T03:25:10+00:00"
    for event in events:
        check_event(event)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (Row("7", "70", "view", "1430623510"), None),
        (Row("7", "70", "wish", "1430623510"), "kind"),
        (Row("7", "70", "view", "soon"), "time"),
        (Row("7", "70", "view", "-5"), "time"),
        (Row("7", "70", "view", "14306235100"), "time"),
        (Row("", "70", "view", "1430623510"), "id"),
        (Row("~7", "70", "view", "1430623510"), "id"),
        (Row("7", "7{0}", "view", "1430623510"), "id"),
        (Row("7" * 43, "70", "view", "1430623510"), "id"),
    ],
)
def test_why_a_row_is_refused(row: Row, reason: str | None) -> None:
    assert refusal_of(row) == reason


def test_refused_and_repeated_rows_are_counted_and_send_nothing() -> None:
    replay = RetailRocketReplay()
    good = Row("7", "70", "view", "1430623510")
    later = Row("7", "70", "view", "1430623999")
    steps = list(replay.stream([good, later, Row("7", "70", "wish", "1430623510")]))
    assert len(steps) == 2
    assert replay.refused == {"repeated": 1, "kind": 1}


def test_the_bought_cases_are_the_purchases() -> None:
    rows = [Row("7", "70", "view", "1"), Row("7", "71", "buy", "2"), Row("8", "70", "cart", "3")]
    assert bought(rows) == {("7", "71")}


def test_both_spellings_of_the_file_are_read(tmp_path: Path) -> None:
    text = "user,item,event,timestamp\n1,2,view,1430623510\n"
    with gzip.open(tmp_path / "events.csv.gz", "wt") as packed:
        packed.write(text)
    assert list(read_rows(tmp_path)) == [Row("1", "2", "view", "1430623510")]
    (tmp_path / "events.csv").write_text(text.replace("1,2", "3,4"))
    assert list(read_rows(tmp_path)) == [Row("3", "4", "view", "1430623510")]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, "--data"),
        ("visitor,item,event,timestamp\n", "columns"),
        ("user,item,event,timestamp\n1,2,view\n", "line 2"),
    ],
)
def test_a_folder_that_holds_something_else_is_named(
    tmp_path: Path, text: str | None, named: str
) -> None:
    if text is not None:
        (tmp_path / "events.csv").write_text(text)
    with pytest.raises(OperatorError, match=named):
        list(read_rows(tmp_path))
