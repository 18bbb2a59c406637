from __future__ import annotations

from tests.builders import NOON_MS, event
from tests.unit.trainer.stream.made_shop import made_events

from millstream.domain.events import Event, EventType
from millstream.features.recent_items import BOUGHT_ITEMS, RECENT_ITEMS
from millstream.features.replayed import ReplayedShopper
from millstream.trainer.stream.rows import rows_of


def test_a_row_knows_what_the_recommenders_would_know_before_the_event() -> None:
    events = made_events(days=8, visits_a_day=6, seed=1)
    events += [
        event("b1", "s1", *(f"basket-{n}" for n in range(30)), kind=EventType.PURCHASE),
        event("q1", "s1", kind=EventType.SEARCH, query="tea"),
        event("b2", "s1", "basket-3", at_ms=NOON_MS + 1_500),
        event("b3", "s1", "basket-4"),
    ]
    shoppers: dict[str, ReplayedShopper] = {}
    for row in rows_of(events):
        known = shoppers.setdefault(row.shopper, ReplayedShopper())
        state = known.state()
        assert row.recent == state.read(RECENT_ITEMS, row.time_ms)
        assert row.bought == state.read(BOUGHT_ITEMS, row.time_ms)
        known.apply(row.event)


def test_wanted_are_the_items_each_once_of_types_that_say_something() -> None:
    events: list[Event] = [
        event("1", "ann", "a", "b", "a", kind=EventType.PURCHASE),
        event("2", "ann", "a", kind=EventType.REFUND),
        event("3", "ann", "c"),
    ]
    rows = list(rows_of(events))
    assert [row.wanted for row in rows] == [("a", "b"), (), ("c",)]
    assert [row.earlier for row in rows] == [0, 1, 1]
