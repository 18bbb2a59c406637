"""Which list a deed goes back to, and that a place counts once."""

from __future__ import annotations

from collections import Counter

from millstream.attribution.join import HELD_LISTS, WINDOW_MS, Field, Joiner, edge_of
from millstream.domain.clock import as_datetime
from millstream.domain.events import Event, EventType, Line
from millstream.domain.lists import Origin, RankedItem, RecommendationList, Source

NOON_MS = 1_767_268_800_000
DAY = "20260101"
ANN = ("shop", "ann")


def made(
    name: str, *items: str, at_ms: int = NOON_MS, version: str = "embedding-v1", took_ms: int = 20
) -> RecommendationList:
    return RecommendationList(
        recommendation_id=name,
        tenant="shop",
        user="ann",
        variant="default",
        items=tuple(RankedItem(item, 1.0, Source.COVISITED, "") for item in items),
        model_version=version,
        settings_digest="0" * 12,
        origin=Origin("t", 0, 1),
        event_time=as_datetime(at_ms),
        log_time=as_datetime(at_ms),
        published_at=as_datetime(at_ms + took_ms),
    )


def did(kind: EventType, *items: str, of: str | None = None, event_id: str | None = None) -> Event:
    return Event(
        event_id=event_id or f"{kind}-{items}-{of}",
        type=kind,
        time=as_datetime(NOON_MS),
        tenant="shop",
        user_id="ann",
        items=tuple(map(Line, items)),
        recommendation_id=of,
    )


def fresh() -> Joiner:
    return Joiner({ANN: None})


def again(joiner: Joiner) -> Joiner:
    """Of the next portion, with what the one before left."""
    return Joiner(dict(joiner.packed()))


def counted(joiner: Joiner, outcome: str) -> Counter[Field]:
    return Counter(
        {
            field[1:]: n
            for counts in joiner.counts.values()
            for field, n in counts.items()
            if field[0] == outcome
        }
    )


def test_a_list_counts_once_with_its_places_and_how_fresh_it_was() -> None:
    joiner = fresh()
    for _ in range(2):
        joiner.shown(made("l1", "a", "b"))
    assert counted(joiner, "lists") == {("embedding-v1", "default"): 1}
    assert counted(joiner, "places") == {("embedding-v1", "default", "covisited"): 2}
    assert counted(joiner, "freshness") == {("20",): 1}
    assert joiner.listed["shop", DAY] == {"a": 1, "b": 1}


def test_a_click_with_a_lists_id_goes_back_to_it_though_a_newer_one_has_the_item() -> None:
    joiner = fresh()
    joiner.shown(made("l1", "a", version="v1"))
    joiner.shown(made("l2", "a", at_ms=NOON_MS + 1, version="v2"))
    joiner.acted(did(EventType.SELECT_ITEM, "a", of="l1"), NOON_MS + 10)
    assert counted(joiner, "clicked") == {("v1", "default", "covisited", "carried"): 1}


def test_a_deed_without_an_id_goes_to_the_newest_list_before_it_that_had_the_item() -> None:
    joiner = fresh()
    joiner.shown(made("l1", "a", version="v1"))
    joiner.shown(made("l2", "b", at_ms=NOON_MS + 5, version="v2"))
    joiner.shown(made("l3", "a", at_ms=NOON_MS + 10, version="v3"))
    joiner.acted(did(EventType.PURCHASE, "a", "b", "c"), NOON_MS + 10)
    assert counted(joiner, "bought") == {
        ("v1", "default", "covisited", "window"): 1,
        ("v2", "default", "covisited", "window"): 1,
    }, "l3 answers the very event, or one of its time"


def test_an_id_tells_that_its_list_came_first_though_the_clock_stood_still() -> None:
    joiner = fresh()
    joiner.shown(made("l1", "a"))
    joiner.acted(did(EventType.SELECT_ITEM, "a", of="l1"), NOON_MS)
    assert counted(joiner, "clicked").total() == 1


def test_a_repeat_counts_nothing_also_after_another_list() -> None:
    joiner = fresh()
    joiner.shown(made("l1", "a"))
    joiner.acted(did(EventType.VIEW_ITEM, "a", event_id="e"), NOON_MS + 1)
    later = again(joiner)
    later.shown(made("l2", "a", at_ms=NOON_MS + 2))
    later.acted(did(EventType.VIEW_ITEM, "a", event_id="e"), NOON_MS + 3)
    later.acted(did(EventType.SELECT_ITEM, "a", of="l1", event_id="other"), NOON_MS + 4)
    assert not counted(later, "clicked")


def test_past_the_window_nothing_is_due_to_a_list() -> None:
    joiner = fresh()
    joiner.shown(made("l1", "a"))
    joiner.acted(did(EventType.PURCHASE, "a"), NOON_MS + WINDOW_MS + 1)
    joiner.acted(did(EventType.PURCHASE, "a", of="l1"), NOON_MS + WINDOW_MS + 2)
    assert not counted(joiner, "bought")
    assert counted(joiner, "unknown") == {("bought",): 1}
    joiner.acted(did(EventType.PURCHASE, "a", event_id="in time"), NOON_MS + WINDOW_MS)
    assert counted(joiner, "bought").total() == 1


def test_what_carries_the_id_of_a_list_that_is_not_held_is_unknown() -> None:
    joiner = fresh()
    for n in range(HELD_LISTS + 1):
        joiner.shown(made(f"l{n}", "a", at_ms=NOON_MS + n))
    joiner.acted(did(EventType.SELECT_ITEM, "a", of="l0"), NOON_MS + 50)
    joiner.acted(did(EventType.SELECT_ITEM, "a", of="made-for-a-request"), NOON_MS + 51)
    assert counted(joiner, "unknown") == {("clicked",): 2}
    assert not counted(joiner, "clicked")


def test_seen_is_what_a_list_view_with_the_lists_id_tells() -> None:
    joiner = fresh()
    joiner.shown(made("l1", "a", "b", "c"))
    joiner.acted(did(EventType.VIEW_ITEM_LIST, "a", "b"), NOON_MS + 1)
    assert not counted(joiner, "seen"), "perhaps a list of the shop's own"
    joiner.acted(did(EventType.VIEW_ITEM_LIST, "a", "b", of="l1"), NOON_MS + 2)
    assert counted(joiner, "seen").total() == 2


def test_a_place_that_was_seen_and_clicked_counts_so_once_in_either_order() -> None:
    joiner = fresh()
    joiner.shown(made("l1", "a", "b", "c"))
    joiner.acted(did(EventType.SELECT_ITEM, "a", of="l1"), NOON_MS + 1)
    joiner.acted(did(EventType.VIEW_ITEM_LIST, "a", "b", of="l1"), NOON_MS + 2)
    later = again(joiner)
    later.acted(did(EventType.SELECT_ITEM, "b", of="l1"), NOON_MS + 3)
    later.acted(did(EventType.SELECT_ITEM, "c", of="l1"), NOON_MS + 4)
    both = counted(joiner, "seen_clicked") + counted(later, "seen_clicked")
    assert both.total() == 2


def test_who_is_erased_leaves_nothing_behind_and_starts_anew() -> None:
    joiner = fresh()
    joiner.shown(made("l1", "a"))
    joiner.acted(did(EventType.ERASE), NOON_MS + 1)
    assert dict(joiner.packed()) == {ANN: None}
    joiner.acted(did(EventType.SELECT_ITEM, "a"), NOON_MS + 2)
    assert not counted(joiner, "clicked")


def test_edges_hold_what_they_name() -> None:
    assert [edge_of(ms) for ms in (0, 10, 11, 20, 21)] == ["10", "10", "14", "20", "28"]
    assert [edge_of(ms) for ms in (655_360, 655_361)] == ["655360", "inf"]
