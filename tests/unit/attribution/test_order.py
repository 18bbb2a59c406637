"""Lists and events in the order of the log."""

from __future__ import annotations

from collections import deque

from millstream.attribution.order import EVER, NEVER, Waiting, due


def waiting(*times_ms: int, at_end: bool, name: str) -> Waiting[str]:
    records = deque((n, ms, f"{name}{ms}") for n, ms in enumerate(times_ms))
    return Waiting(0, EVER if at_end else NEVER, records)


def test_a_list_goes_before_what_was_done_at_its_time() -> None:
    lists = waiting(5, 9, at_end=True, name="list ")
    events = waiting(5, 7, 9, at_end=True, name="event ")
    assert list(due(lists, events, 10)) == ["list 5", "event 5", "event 7", "list 9", "event 9"]
    assert (lists.next, events.next) == (2, 3)


def test_what_may_still_be_preceded_waits() -> None:
    lists = waiting(5, at_end=False, name="list ")
    events = waiting(4, 6, at_end=True, name="event ")
    assert list(due(lists, events, 10)) == ["event 4", "list 5"]
    lists.sure_to_ms = 6
    assert list(due(lists, events, 10)) == ["event 6"]


def test_nothing_is_known_of_a_topic_that_was_not_read() -> None:
    lists = waiting(at_end=False, name="list ")
    assert list(due(lists, waiting(1, at_end=True, name="event "), 10)) == []


def test_a_portion_has_its_bound_and_the_position_stands_after_it() -> None:
    events = waiting(1, 2, 3, at_end=True, name="event ")
    assert len(list(due(waiting(at_end=True, name=""), events, 2))) == 2
    assert events.next == 2
