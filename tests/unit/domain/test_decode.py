"""Every reason for which a record is refused, and that nothing else comes out of the decoder."""

from __future__ import annotations

import json
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.domain.decode import MAX_FUTURE_MS, decode
from millstream.domain.errors import Reason, Refused
from millstream.domain.events import MAX_RECORD_BYTES, Event, EventType

NOON_MS = 1_767_268_800_000
NOON = "2026-01-01T12:00:00Z"
PLAIN: dict[str, Any] = {
    "event_id": "e-1",
    "type": "view_item",
    "time": NOON,
    "user_id": "u-1",
    "items": [{"item_id": "i-1"}],
}
WORD = "hunter2"


def record(**changes: object) -> bytes:
    return json.dumps({**PLAIN, **changes}).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in PLAIN.items() if key != name}).encode()


def line(**changes: object) -> bytes:
    return record(items=[{"item_id": "i-1", **changes}])


def inserted(raw: bytes) -> bytes:
    """The plain record with raw bytes as its last members, where json.dumps would not go."""
    return record()[:-1] + b"," + raw + b"}"


def test_a_whole_event_is_read() -> None:
    event = decode(
        record(
            tenant="shop-2",
            items=[{"item_id": "i-1", "quantity": 3, "price": 9.5, "index": 2}],
            currency="EUR",
            session_id="s",
            recommendation_id="r",
            context={"page": "home", "n": 3, "f": 0.5, "b": True, "none": None},
        ),
        (),
        NOON_MS,
    )
    assert (event.tenant, event.shopper, event.time_ms) == ("shop-2", "u-1", NOON_MS)
    assert event.type is EventType.VIEW_ITEM
    assert (event.items[0].quantity, event.items[0].price, event.items[0].index) == (3, 9.5, 2)
    assert event.context == {"page": "home", "n": 3, "f": 0.5, "b": True, "none": None}


def test_fields_of_a_newer_producer_are_passed_over() -> None:
    assert decode(record(loyalty={"tier": [1, 2]}), (), NOON_MS) == decode(record(), (), NOON_MS)


@pytest.mark.parametrize(
    ("value", "reason", "path"),
    [
        (None, Reason.UNDECODABLE, "null"),
        (b"", Reason.UNDECODABLE, "JSON"),
        (b"{", Reason.UNDECODABLE, "JSON"),
        (record() + b"x", Reason.UNDECODABLE, "JSON"),
        (b"\xef\xbb\xbf" + record(), Reason.UNDECODABLE, "JSON"),
        (b"\x00\x01\x02", Reason.UNDECODABLE, "JSON"),
        (record().replace(b"u-1", b"\xff"), Reason.UNDECODABLE, "UTF-8"),
        (inserted(b'"unknown":"\xff"'), Reason.UNDECODABLE, "UTF-8"),
        (inserted(b'"unknown":' + b"[" * 9000 + b"]" * 9000), Reason.UNDECODABLE, "deep"),
        (record().replace(b"u-1", b"a\\ud800"), Reason.UNDECODABLE, "JSON"),
        (record().replace(b"u-1", b"a\nb"), Reason.UNDECODABLE, "JSON"),
        (inserted(b'"items":[{"item_id":"i","price":NaN}]'), Reason.UNDECODABLE, "JSON"),
        (inserted(b'"items":[{"item_id":"i","price":Infinity}]'), Reason.UNDECODABLE, "JSON"),
        (record(query="x" * MAX_RECORD_BYTES), Reason.TOO_LARGE, str(MAX_RECORD_BYTES)),
        (b"x" * (MAX_RECORD_BYTES + 1), Reason.TOO_LARGE, str(MAX_RECORD_BYTES)),
        (b"[]", Reason.WRONG_TYPE, "$"),
        (b"null", Reason.WRONG_TYPE, "$"),
        (record(event_id=7), Reason.WRONG_TYPE, "$.event_id"),
        (record(event_id=None), Reason.WRONG_TYPE, "$.event_id"),
        (record(type=3), Reason.WRONG_TYPE, "$.type"),
        (record(time=NOON_MS), Reason.WRONG_TYPE, "$.time"),
        (record(time="yesterday"), Reason.WRONG_TYPE, "$.time"),
        (record(time="2026-01-01T12:00:00"), Reason.WRONG_TYPE, "$.time"),
        (record(time="2026-13-01T12:00:00Z"), Reason.WRONG_TYPE, "$.time"),
        (record(items={}), Reason.WRONG_TYPE, "$.items"),
        (line(quantity=1.5), Reason.WRONG_TYPE, "$.items[0].quantity"),
        (line(price="9.50"), Reason.WRONG_TYPE, "$.items[0].price"),
        (record(context={"k": [1]}), Reason.WRONG_TYPE, "$.context"),
        (record(type=WORD), Reason.UNKNOWN_EVENT_TYPE, "$.type"),
        (record(type="View_Item"), Reason.UNKNOWN_EVENT_TYPE, "$.type"),
        (without("event_id"), Reason.MISSING_FIELD, "event_id"),
        (without("type"), Reason.MISSING_FIELD, "type"),
        (without("time"), Reason.MISSING_FIELD, "time"),
        (without("user_id"), Reason.MISSING_FIELD, "user_id"),
        (record(items=[{"quantity": 1}]), Reason.MISSING_FIELD, "item_id"),
        (record(type="search", items=[]), Reason.MISSING_FIELD, "query"),
        (record(event_id=""), Reason.BAD_ID, "$.event_id"),
        (record(event_id="x" * 129), Reason.BAD_ID, "$.event_id"),
        (record(user_id="a\x00b"), Reason.BAD_ID, "user_id"),
        (record(user_id="a\x7fb"), Reason.BAD_ID, "user_id"),
        (record(user_id="{a}"), Reason.BAD_ID, "user_id"),
        (record(user_id="~a"), Reason.BAD_ID, "user_id"),
        (record(user_id="a\u202eb"), Reason.BAD_ID, "user_id"),
        (record(user_id="e\u0301"), Reason.BAD_ID, "user_id"),
        (record(anonymous_id="a\u2028b"), Reason.BAD_ID, "anonymous_id"),
        (record(session_id="x" * 129), Reason.BAD_ID, "$.session_id"),
        (record(tenant="Shop"), Reason.BAD_ID, "$.tenant"),
        (record(tenant="shop\n"), Reason.BAD_ID, "$.tenant"),
        (line(item_id="x" * 129), Reason.BAD_ID, "$.items[0].item_id"),
        (line(item_id="}"), Reason.BAD_ID, "item_id"),
        (record(items=[]), Reason.BAD_ITEMS, "items"),
        (record(items=[{"item_id": "i"}] * 2), Reason.BAD_ITEMS, "items"),
        (record(type="purchase", items=[{"item_id": "i"}] * 201), Reason.BAD_ITEMS, "$.items"),
        (record(type="erase"), Reason.BAD_ITEMS, "items"),
        (line(quantity=-1), Reason.OUT_OF_RANGE, "$.items[0].quantity"),
        (line(quantity=10**30), Reason.OUT_OF_RANGE, "$.items[0].quantity"),
        (line(price=-0.01), Reason.OUT_OF_RANGE, "$.items[0].price"),
        (line(price=1e13), Reason.OUT_OF_RANGE, "$.items[0].price"),
        (line(price=10**400), Reason.OUT_OF_RANGE, "$.items[0].price"),
        (inserted(b'"items":[{"item_id":"i","price":1e400}]'), Reason.OUT_OF_RANGE, "price"),
        (record(query="x" * 257), Reason.OUT_OF_RANGE, "$.query"),
        (record(currency="euro"), Reason.OUT_OF_RANGE, "$.currency"),
        (record(currency="EUR\n"), Reason.OUT_OF_RANGE, "$.currency"),
        (record(context={"k" * 257: 1}), Reason.OUT_OF_RANGE, "$.context"),
        (record(context={"k": 2**53 + 1}), Reason.OUT_OF_RANGE, "$.context"),
        (record(context={str(n): n for n in range(65)}), Reason.OUT_OF_RANGE, "$.context"),
        (record(time="2026-01-01T12:05:00.001Z"), Reason.FUTURE_TIME, "time"),
        (record(time="9999-12-31T23:59:59-14:00"), Reason.FUTURE_TIME, "time"),
    ],
)
def test_refused_with_its_reason(value: bytes | None, reason: Reason, path: str) -> None:
    with pytest.raises(Refused) as refused:
        decode(value, (), NOON_MS)
    assert (refused.value.reason, path in refused.value.detail) == (reason, True), refused.value


def test_bounds_are_inclusive() -> None:
    longest = "x" * 128
    assert decode(record(event_id=longest), (), NOON_MS).event_id == longest
    assert decode(record(), (), NOON_MS - MAX_FUTURE_MS).time_ms == NOON_MS
    padding = MAX_RECORD_BYTES - len(inserted(b'"unknown":""'))
    decode(inserted(b'"unknown":"' + b"x" * padding + b'"'), (), NOON_MS)


@pytest.mark.parametrize(
    "value",
    [
        record(type=WORD),
        record(time=WORD),
        record(currency=WORD),
        record(user_id=WORD + "{"),
        record(user_id="~" + WORD),
        record(context={WORD: []}),
        record(context={WORD * 50: 1}),
        line(price=WORD),
        record(tenant=WORD.upper()),
        b'{"' + WORD.encode(),
        record(user_id=WORD * 30),
    ],
)
def test_the_detail_names_no_value(value: bytes) -> None:
    with pytest.raises(Refused) as refused:
        decode(value, (), NOON_MS)
    assert WORD not in str(refused.value).lower(), refused.value


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_FIELD = st.sampled_from(
    [*Event.__struct_fields__, "item_id", "quantity", "price", "index", "specversion", "data"]
)
_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["ce_specversion", "ce_id", "ce_type", "ce_time", "content-type", "x"]),
        st.sampled_from([b"1.0", b"view_item", NOON.encode(), b"application/cloudevents+json"])
        | st.binary(max_size=8),
    ),
    max_size=5,
).map(tuple)

# The machine may be busy, and the first example builds Hypothesis's table of characters.


def _attempt(value: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
    try:
        event = decode(value, headers, NOON_MS)
    except Refused:
        return
    # What is let through reads back as itself: nothing in it is beyond the wire.
    assert decode(msgspec.json.encode(event), (), NOON_MS) == event


@given(st.binary(max_size=400), _HEADERS)
def test_any_bytes_give_an_event_or_a_refusal(
    value: bytes, headers: tuple[tuple[str, bytes], ...]
) -> None:
    _attempt(value, headers)


@given(st.dictionaries(_FIELD, _JSON, max_size=6), _HEADERS)
def test_any_json_in_our_fields_gives_an_event_or_a_refusal(
    changes: dict[str, Any], headers: tuple[tuple[str, bytes], ...]
) -> None:
    _attempt(json.dumps({**PLAIN, **changes}).encode(), headers)


@given(st.integers(0, 200), st.binary(min_size=1, max_size=4), _HEADERS)
def test_a_damaged_event_gives_an_event_or_a_refusal(
    place: int, damage: bytes, headers: tuple[tuple[str, bytes], ...]
) -> None:
    whole = record(context={"page": "home"}, currency="EUR")
    _attempt(whole[:place] + damage + whole[place + len(damage) :], headers)


@given(st.integers(1, 6000), st.sampled_from(["context", "quantity", "price", "unknown"]))
def test_numbers_of_any_length_give_an_event_or_a_refusal(digits: int, field: str) -> None:
    number = "9" * digits
    raw = {
        "context": f'"context":{{"n":{number}}}',
        "unknown": f'"unknown":{number}',
    }.get(field, f'"items":[{{"item_id":"i","{field}":{number}}}]')
    _attempt(inserted(raw.encode()))


@pytest.mark.parametrize("over", [0, 1])
def test_headers_count_into_the_limit(over: int) -> None:
    value = record()
    room = MAX_RECORD_BYTES - len(value) - len("trace") - len("n\u00e4h".encode())
    headers = (("trace", b"x" * (room + over)), ("n\u00e4h", cast(bytes, None)))
    if over:
        with pytest.raises(Refused) as refused:
            decode(value, headers, NOON_MS)
        assert refused.value.reason is Reason.TOO_LARGE
    else:
        assert decode(value, headers, NOON_MS).event_id == "e-1"
