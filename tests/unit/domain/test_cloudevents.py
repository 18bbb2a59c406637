"""Our header map against the CloudEvents SDK, which writes what a storefront would send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from millstream.domain.decode import decode
from millstream.domain.errors import Reason, Refused
from millstream.domain.log import Headers

NOON_MS = 1_767_268_800_000
NOON = "2026-01-01T12:00:00Z"
BODY: dict[str, Any] = {"user_id": "u-1", "items": [{"item_id": "i-1"}]}
PLAIN = {**BODY, "event_id": "e-1", "type": "view_item", "time": NOON}
HEADERS = {
    "ce_specversion": b"1.0",
    "ce_id": b"e-1",
    "ce_type": b"view_item",
    "ce_source": b"/shop",
    "ce_time": NOON.encode(),
    "content-type": b"application/json",
}


def sent(attributes: Mapping[str, Any], data: dict[str, Any]) -> CloudEvent:
    return CloudEvent(
        attributes={
            "id": "e-1",
            "type": "com.example.shop.view_item",
            "source": "/shop",
            "specversion": "1.0",
            **attributes,
        },
        data=data,
    )


def headers_of(message: KafkaMessage) -> Headers:
    return tuple(message.headers.items())


@pytest.mark.parametrize("data", [BODY, PLAIN])
def test_binary_mode_of_the_sdk_is_read(data: dict[str, Any]) -> None:
    event = sent(
        {"time": datetime(2026, 1, 1, 12, tzinfo=UTC), "datacontenttype": "application/json"}, data
    )
    message = to_binary_event(event)
    assert "ce_type" in message.headers
    assert decode(message.value, headers_of(message), NOON_MS) == decode(
        json.dumps(PLAIN).encode(), (), NOON_MS
    )


def test_structured_mode_of_the_sdk_is_read() -> None:
    message = to_structured_event(sent({"time": datetime(2026, 1, 1, 12, tzinfo=UTC)}, BODY))
    assert message.headers["content-type"].startswith(b"application/cloudevents+json")
    assert decode(message.value, headers_of(message), NOON_MS) == decode(
        json.dumps(PLAIN).encode(), (), NOON_MS
    )


def test_other_headers_change_nothing() -> None:
    value = json.dumps(PLAIN).encode()
    headers = (("sent_at", b"1"), ("content-type", b"application/json"), ("ce_id", b"other"))
    assert decode(value, headers, NOON_MS) == decode(value, (), NOON_MS)


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        ({"event_id": "e-2"}, {}, Reason.WRONG_TYPE),
        ({"type": "purchase"}, {}, Reason.WRONG_TYPE),
        ({"time": "2026-01-01T12:00:01Z"}, {}, Reason.WRONG_TYPE),
        ({"time": 5}, {}, Reason.WRONG_TYPE),
        ({}, {"ce_specversion": b"0.3"}, Reason.WRONG_TYPE),
        ({}, {"ce_type": b"com.example.shop.bought"}, Reason.UNKNOWN_EVENT_TYPE),
        ({}, {"ce_id": b"x" * 129}, Reason.BAD_ID),
        ({}, {"ce_id": b"\xff"}, Reason.UNDECODABLE),
        ({}, {"ce_time": b"noon"}, Reason.WRONG_TYPE),
        ({}, {"ce_time": b""}, Reason.MISSING_FIELD),
        ({}, {"ce_id": b""}, Reason.MISSING_FIELD),
    ],
)
def test_binary_mode_refuses(
    body: dict[str, Any], headers: dict[str, bytes], reason: Reason
) -> None:
    value = json.dumps({**BODY, **body}).encode()
    with pytest.raises(Refused) as refused:
        decode(value, tuple({**HEADERS, **headers}.items()), NOON_MS)
    assert refused.value.reason is reason, refused.value


def test_the_same_moment_in_another_zone_is_no_contradiction() -> None:
    value = json.dumps({**BODY, "time": "2026-01-01T14:00:00+02:00"}).encode()
    assert decode(value, tuple(HEADERS.items()), NOON_MS).time_ms == NOON_MS


@pytest.mark.parametrize(
    ("envelope", "reason"),
    [
        ({"specversion": "1.0", "id": "e", "type": "view_item"}, Reason.MISSING_FIELD),
        ({"specversion": "1.0", "type": "view_item", "data": BODY}, Reason.MISSING_FIELD),
        ({"specversion": "2.0", "id": "e", "type": "search", "data": BODY}, Reason.WRONG_TYPE),
        ({"specversion": "1.0", "id": "e", "type": "search", "data": [BODY]}, Reason.WRONG_TYPE),
    ],
)
def test_structured_mode_refuses(envelope: dict[str, Any], reason: Reason) -> None:
    headers = (("Content-Type", b"application/CloudEvents+json; charset=utf-8"),)
    with pytest.raises(Refused) as refused:
        decode(json.dumps(envelope).encode(), headers, NOON_MS)
    assert refused.value.reason is reason, refused.value
