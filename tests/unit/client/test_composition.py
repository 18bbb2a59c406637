"""A storefront hears of bad input where it makes it, and sends what the services will take."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from millstream.client.composition import InvalidEvent, compose
from millstream.domain.decode import decode
from millstream.domain.errors import Reason
from millstream.domain.events import EventType, Line
from millstream.domain.pseudonyms import KEY_BYTES, Pseudonyms

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOON_MS = 1_767_268_800_000


def test_what_is_left_out_is_filled_in() -> None:
    event, value = compose("view_item", "shop", {"user_id": "u", "items": ["i"]}, NOON_MS)
    assert uuid.UUID(event.event_id).version == 7
    assert (event.type, event.time, event.tenant) == (EventType.VIEW_ITEM, NOON, "shop")
    assert event.items == (Line("i"),)
    assert decode(value, (), NOON_MS) == event


def test_what_is_given_stays() -> None:
    given: dict[str, Any] = {
        "event_id": "order-7",
        "time": NOON.astimezone(timezone(timedelta(hours=9))),
        "anonymous_id": "a",
        "user_id": None,
        "items": [Line("i", 2, 9.5), "j"],
        "currency": "EUR",
        "transaction_id": "t",
        "recommendation_id": "r",
        "context": {"page": "cart", "depth": 3},
    }
    event, _ = compose(EventType.PURCHASE, "default", given, NOON_MS)  # type: ignore[arg-type]
    assert (event.event_id, event.time_ms, event.shopper) == ("order-7", NOON_MS, "~a")
    assert event.items == (Line("i", 2, 9.5), Line("j"))
    assert (event.currency, event.transaction_id, event.recommendation_id) == ("EUR", "t", "r")
    assert event.context == {"page": "cart", "depth": 3}


def test_two_events_have_two_ids() -> None:
    made = {
        compose("view_item", "default", {"user_id": "u", "items": ["i"]}, NOON_MS)[0].event_id
        for _ in range(100)
    }
    assert len(made) == 100


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("bought", {}, Reason.UNKNOWN_EVENT_TYPE),
        ("view_item", {"user_id": None}, Reason.MISSING_FIELD),
        ("search", {"items": None}, Reason.MISSING_FIELD),
        ("view_item", {"items": None}, Reason.BAD_ITEMS),
        ("view_item", {"items": ["i", "j"]}, Reason.BAD_ITEMS),
        ("purchase", {"items": ["i"] * 201}, Reason.BAD_ITEMS),
        ("view_item", {"user_id": "a{b}"}, Reason.BAD_ID),
        ("view_item", {"user_id": "x" * 129}, Reason.BAD_ID),
        ("view_item", {"event_id": ""}, Reason.BAD_ID),
        ("view_item", {"user_id": 17850}, Reason.WRONG_TYPE),
        ("view_item", {"user_id": "\ud800"}, Reason.WRONG_TYPE),
        ("view_item", {"context": {"o": object()}}, Reason.WRONG_TYPE),
        ("view_item", {"context": {"o": [1]}}, Reason.WRONG_TYPE),
        ("view_item", {"context": {"n": 10**40}}, Reason.OUT_OF_RANGE),
        ("view_item", {"context": {"n": 2**53 + 1}}, Reason.OUT_OF_RANGE),
        ("view_item", {"context": {"n": float("nan")}}, Reason.OUT_OF_RANGE),
        ("view_item", {"items": [Line("i", price=float("nan"))]}, Reason.OUT_OF_RANGE),
        ("view_item", {"items": [Line("i", price=float("inf"))]}, Reason.OUT_OF_RANGE),
        ("view_item", {"items": [Line("i", price=-1.0)]}, Reason.OUT_OF_RANGE),
        ("view_item", {"currency": "euro"}, Reason.OUT_OF_RANGE),
        ("view_item", {"time": datetime(2026, 1, 1, 12)}, Reason.WRONG_TYPE),  # noqa: DTZ001
        ("view_item", {"time": NOON + timedelta(minutes=6)}, Reason.FUTURE_TIME),
        ("view_item", {"time": NOON - timedelta(hours=25)}, Reason.LATE),
        ("view_item", {"context": {str(n): "é" * 256 for n in range(64)}}, None),
        (
            "purchase",
            {
                "items": [Line("é" * 128)] * 200,
                "context": {str(n): "é" * 256 for n in range(64)},
            },
            Reason.TOO_LARGE,
        ),
    ],
)
def test_bad_input_is_a_value_error_with_the_reason(
    kind: str, changes: dict[str, Any], reason: Reason | None
) -> None:
    fields: Any = {"user_id": "u", "items": ["i"], **changes}
    if reason is None:
        compose(kind, "default", fields, NOON_MS)
        return
    with pytest.raises(ValueError, match="not sent") as refused:
        compose(kind, "default", fields, NOON_MS)
    assert isinstance(refused.value, InvalidEvent)
    assert refused.value.reason is reason, refused.value


def test_a_field_that_events_do_not_have_is_a_type_error() -> None:
    fields: Any = {"user_id": "u", "items": ["i"], "usr": 1}
    with pytest.raises(TypeError, match="usr"):
        compose("view_item", "default", fields, NOON_MS)


def test_with_pseudonyms_the_bytes_hold_no_raw_id_and_the_caller_keeps_them() -> None:
    ours = Pseudonyms(b"k" * KEY_BYTES, "shop")
    fields: Any = {
        "user_id": "ann@example.org",
        "anonymous_id": "cookie-0815",
        "session_id": "session-0815",
        "transaction_id": "order-4711",
        "event_id": "order-4711",
        "items": ["i"],
        "context": {"mail": "ann@example.org"},
    }
    said, value = compose("purchase", "shop", fields, NOON_MS, ours)
    assert (said.user_id, said.event_id) == ("ann@example.org", "order-4711")
    for raw in (b"ann", b"0815", b"4711"):
        assert raw not in value
    sent = decode(value, (), NOON_MS)
    assert sent == ours.event(said)
    fields["event_id"] = said.event_id
    retry, again = compose("purchase", "shop", fields, NOON_MS, ours)
    assert (retry, again) == (said, value), "a retry is recognised as one"


def test_a_raw_id_that_is_none_is_refused_before_it_is_hashed() -> None:
    fields: Any = {"user_id": "a{b}", "items": ["i"]}
    with pytest.raises(InvalidEvent) as refused:
        compose("view_item", "shop", fields, NOON_MS, Pseudonyms(b"k" * KEY_BYTES, "shop"))
    assert refused.value.reason is Reason.BAD_ID


def test_an_event_that_grows_too_large_is_told_to_the_shop() -> None:
    """Within the limit as it was said, beyond it with ids of 22 characters."""
    ours = Pseudonyms(b"k" * KEY_BYTES, "shop")
    items = [Line("é" * 120 + f"{n:03d}") for n in range(200)]
    context: Any = {}
    fields: Any = {"user_id": "u", "event_id": "e", "items": items, "context": context}

    def spare() -> int:
        return 64 * 1024 - len(compose("purchase", "shop", fields, NOON_MS)[1])

    while spare() > 300:
        context[f"p{len(context):02d}"] = "x" * 250
    compose("purchase", "shop", fields, NOON_MS, ours)
    context["last"] = "x" * (spare() - len(',"last":""') - 10)
    assert 0 <= spare() < 42
    with pytest.raises(InvalidEvent) as refused:
        compose("purchase", "shop", fields, NOON_MS, ours)
    assert refused.value.reason is Reason.TOO_LARGE
