from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.events import Event, EventType, Line
from millstream.local.read_ahead import ReadAhead

NOW = datetime(2011, 1, 4, tzinfo=UTC)


def view(user: str, item: str) -> Event:
    return Event(
        event_id=f"{user}{item}",
        type=EventType.VIEW_ITEM,
        time=NOW,
        user_id=user,
        items=(Line(item),),
    )


def stream(*named: str) -> Iterator[CatalogueItem | Event]:
    """`ua` is shopper u's view of item a; each item's entry comes before its first view."""
    told = set()
    for name in named:
        user, item = name[0], name[1]
        if item not in told:
            told.add(item)
            yield CatalogueItem(item_id=item, added_at=NOW)
        yield view(user, item)


def taken(ahead: ReadAhead, waiting: str) -> str | None:
    step = ahead.take(lambda event: event.shopper not in waiting)
    return None if step is None else step[1].event_id


def test_others_overtake_a_shopper_who_waits_and_keeps_the_own_order() -> None:
    ahead = ReadAhead(stream("ua", "ub", "vc", "ud", "we"), reach=10)
    assert taken(ahead, waiting="u") == "vc"
    assert taken(ahead, waiting="u") == "we"
    assert taken(ahead, waiting="u") is None
    assert [taken(ahead, waiting="") for _ in range(3)] == ["ua", "ub", "ud"]
    assert ahead.exhausted


def test_an_event_that_need_not_wait_stays_behind_its_shoppers_earlier_one() -> None:
    ahead = ReadAhead(stream("ua", "ub"), reach=10)
    assert ahead.take(lambda event: event.event_id == "ub") is None


def test_nobody_is_overtaken_beyond_the_reach() -> None:
    ahead = ReadAhead(stream("ua", "ub", "vc"), reach=2)
    assert taken(ahead, waiting="u") is None
    assert not ahead.exhausted
    assert taken(ahead, waiting="") == "ua"
    assert taken(ahead, waiting="u") == "vc"


def test_an_entry_goes_with_the_first_event_sent_that_names_its_item() -> None:
    ahead = ReadAhead(stream("ua", "ub", "vb"), reach=10)
    first = ahead.take(lambda event: event.shopper == "v")
    assert first is not None
    assert [item.item_id for item in first[0]] == ["b"], "a is not told before u's view"
    rest = [ahead.take(lambda _: True) for _ in range(2)]
    assert [[i.item_id for i in step[0]] for step in rest if step is not None] == [["a"], []]


def test_an_empty_source_is_exhausted_at_once() -> None:
    ahead = ReadAhead(iter(()), reach=10)
    assert taken(ahead, waiting="") is None
    assert ahead.exhausted
