"""Each adapter says what stands in its golden file, and raises for nothing it is given."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from tests.golden.adapters import golden, records, rendered

from millstream.client.adapters import ADAPTERS, Faulty, Mapped, NotOurs
from millstream.client.composition import compose
from millstream.domain.clock import as_datetime
from millstream.domain.events import EventType

SENDERS = sorted(ADAPTERS)
NOON_MS = 1_795_176_000_000  # 2026-11-20, two hours after the recordings
ALL = set(EventType) - {EventType.ERASE}

ODD: tuple[Any, ...] = (None, True, -1, 10**30, float("nan"), "", "x", [], ["x"], {}, {"x": 1})


def mapped(sender: str) -> list[Mapped]:
    outcomes = [found for record in records(sender) for found in ADAPTERS[sender](record)]
    return [found for found in outcomes if isinstance(found, Mapped)]


@pytest.mark.parametrize("sender", SENDERS)
def test_the_golden_file_stands(sender: str) -> None:
    assert rendered(sender).splitlines() == golden(sender).splitlines()


@pytest.mark.parametrize(
    ("sender", "not_told"),
    [
        ("ga4", set()),
        ("segment", set()),
        ("snowplow", {EventType.ADD_TO_WISHLIST}),  # the plugin has no such action
    ],
)
def test_every_event_type_is_in_the_recordings(sender: str, not_told: set[EventType]) -> None:
    assert {found.type for found in mapped(sender)} == ALL - not_told


def test_nobody_is_forgotten_because_of_a_recording() -> None:
    for module in (ADAPTERS[sender] for sender in SENDERS):
        for name in ("erase", "Erase"):
            shapes: list[Any] = [
                {
                    "type": "track",
                    "event": name,
                    "messageId": "m",
                    "timestamp": "2026-11-20T10:00:00Z",
                },
                {"event_name": name, "event_timestamp": 1, "event_id": "e"},
                {"events": [{"name": name}], "timestamp_micros": 1},
            ]
            for shape in shapes:
                assert not any(isinstance(found, Mapped) for found in module(shape))


@pytest.mark.parametrize("sender", SENDERS)
def test_what_is_mapped_is_what_track_takes(sender: str) -> None:
    """All of the recordings but the view of a product without an id."""
    for found in mapped(sender):
        if found.type is EventType.VIEW_ITEM and not found.fields["items"]:
            continue
        event, _ = compose(found.type, "shop", found.fields, NOON_MS)
        assert event.type is found.type


@pytest.mark.parametrize("sender", SENDERS)
def test_the_same_record_has_the_same_id_and_another_has_another(sender: str) -> None:
    ids = [found.fields["event_id"] for found in mapped(sender)]
    assert ids == [found.fields["event_id"] for found in mapped(sender)]
    twice = {one for one in ids if ids.count(one) > 1}
    purchases = {f.fields["event_id"] for f in mapped(sender) if f.type is EventType.PURCHASE}
    assert twice == (purchases if sender == "ga4" else set()), "one order, told over both ways"


def test_ga4_events_of_one_moment_are_told_apart_by_their_place_in_the_batch() -> None:
    row = next(r for r in records("ga4") if r.get("event_name") == "add_to_cart")
    next_to_it = row | {"batch_event_index": "6"}
    [one], [same], [other] = (ADAPTERS["ga4"](r) for r in (row, copy.deepcopy(row), next_to_it))
    assert isinstance(one, Mapped)
    assert isinstance(same, Mapped)
    assert isinstance(other, Mapped)
    assert one.fields["event_id"] == same.fields["event_id"] != other.fields["event_id"]


def variants(whole: Any) -> Iterator[Any]:
    """A record with each of its parts in turn left out or put in the place of something odd."""
    yield from ODD
    if isinstance(whole, dict):
        for key, part in whole.items():
            yield {name: kept for name, kept in whole.items() if name != key}
            for other in variants(part):
                yield whole | {key: other}
    elif isinstance(whole, list):
        for place, part in enumerate(whole):
            for other in variants(part):
                yield [*whole[:place], other, *whole[place + 1 :]]


@pytest.mark.parametrize("sender", SENDERS)
def test_it_raises_for_nothing(sender: str) -> None:
    for record in records(sender)[::3]:
        for other in variants(record):
            for found in ADAPTERS[sender](other):
                assert isinstance(found, Mapped | NotOurs | Faulty)


@pytest.mark.parametrize("sender", SENDERS)
def test_a_refusal_names_the_field_and_no_value(sender: str) -> None:
    secret = "ann@example.org"  # noqa: S105
    for record in records(sender):
        if not isinstance(record, dict):
            continue
        for name in record:
            for found in ADAPTERS[sender](record | {name: {secret: secret}}):
                assert not isinstance(found, Faulty) or secret not in found.detail


def test_times_are_read_to_the_millisecond() -> None:
    [found] = ADAPTERS["snowplow"](records("snowplow")[8])
    assert isinstance(found, Mapped)
    assert found.fields["time"] == as_datetime(1_795_168_809_250)
