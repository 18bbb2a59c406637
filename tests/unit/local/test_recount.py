from __future__ import annotations

import json

import pytest

from millstream.domain.errors import OperatorError
from millstream.local.recount import Recount, Verdict, check_ends, compare


def record(event_id: str, kind: str = "purchase", *items: str, **more: object) -> bytes:
    event: dict[str, object] = {"event_id": event_id, "type": kind, "time": "2011-01-04T00:00:00Z"}
    if "anonymous_id" not in more:
        event["user_id"] = "u"
    event["items"] = [{"item_id": item_id} for item_id in items]
    return json.dumps(event | more).encode()


def recounted(*values: bytes | None) -> Recount:
    recount = Recount()
    for value in values:
        recount.add(value)
    return recount


def test_an_id_counts_once_per_shopper_and_lines_once_each() -> None:
    recount = recounted(
        record("1", "purchase", "a", "a", "b"),
        record("1", "purchase", "a", "a", "b"),
        record("1", "view_item", "a", anonymous_id="i"),
        record("1", "view_item", "a", tenant="shop-2"),
    )
    assert (recount.accepted, recount.repeated, recount.unreadable) == (3, 1, 0)
    assert recount.users == {
        ("default", "u", "purchase"): 1,
        ("default", "~i", "view_item"): 1,
        ("shop-2", "u", "view_item"): 1,
    }
    assert recount.items == {
        ("default", "a", "purchase"): 2,
        ("default", "b", "purchase"): 1,
        ("default", "a", "view_item"): 1,
        ("shop-2", "a", "view_item"): 1,
    }


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"[]", b"{}", b'{"items": 3}', b"7"])
def test_what_is_no_event_is_counted_and_left_out(value: bytes | None) -> None:
    recount = recounted(value, record("1"))
    assert (recount.accepted, recount.unreadable) == (1, 1)


def test_equal_counts_are_neither_lost_nor_doubled() -> None:
    recount = recounted(record("1", "purchase", "a"), record("2", "refund"))
    assert compare(recount, dict(recount.users), dict(recount.items)) == Verdict(2, 0, 0, 0, 0)


def test_a_loss_here_is_not_made_up_by_a_double_there() -> None:
    recount = recounted(
        record("1", "purchase", "a", "b"),
        record("2", "purchase", "a"),
        record("3", "view_item", "a"),
    )
    users = {("default", "u", "purchase"): 1, ("default", "u", "view_item"): 2}
    items = {("default", "a", "purchase"): 5, ("default", "ghost", "purchase"): 1}
    assert compare(recount, users, items) == Verdict(
        accepted=3, lost=1, doubled=1, lost_lines=2, doubled_lines=4
    )


def test_a_log_that_ends_where_it_should_is_not_told_of() -> None:
    check_ends("t", {0: 5, 1: 2}, {0: 5, 1: 2, 2: 0})


@pytest.mark.parametrize(
    ("told", "place"),
    [({0: 6}, r"\+1 on partition 0"), ({0: 4}, "-1 on partition 0"), ({0: 5, 1: 1}, "partition 1")],
)
def test_records_that_no_acknowledgement_told_of_are_noticed(
    told: dict[int, int], place: str
) -> None:
    with pytest.raises(OperatorError, match=place):
        check_ends("t", {0: 5}, told)
