"""What is judged, what goes on, and that no raw id does."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOON_MS, event
from tests.byte_scan import found_in

from millstream.domain.decode import decode
from millstream.domain.errors import Reason
from millstream.domain.events import Event, EventType
from millstream.domain.pseudonyms import KEY_BYTES, Pseudonyms
from millstream.gateway.api_keys import Scope
from millstream.gateway.callers import Caller
from millstream.gateway.catalogue_intake import judge_items
from millstream.gateway.intake import judge, parts_of, told

PSEUDONYMS = Pseudonyms(b"k" * KEY_BYTES, "shop")
SHOP = Caller("id", "shop", frozenset(Scope), PSEUDONYMS)
OPEN = Caller("id", "shop", frozenset(Scope), None)

encode = msgspec.json.encode


def test_an_event_goes_on_under_pseudonyms_and_of_the_keys_tenant() -> None:
    said = event("order-4711", "ann@example.org", session_id="s-planted", query="ann@example.org")
    judged = judge([encode(said)], SHOP, NOON_MS)
    [record] = judged.records
    assert not found_in([record.key, record.value], {"ann@example.org", "order-4711", "s-planted"})
    sent = decode(record.value, (), NOON_MS)
    assert sent == PSEUDONYMS.event(msgspec.structs.replace(said, tenant="shop"))
    assert record.key == f"shop:{sent.shopper}".encode()
    assert judged.known_as == ((sent.shopper, "ann@example.org"),)


def test_without_pseudonyms_ids_go_as_they_come() -> None:
    judged = judge([encode(event("e1", "ann"))], OPEN, NOON_MS)
    assert decode(judged.records[0].value, (), NOON_MS).user_id == "ann"
    assert judged.known_as == ()


def test_events_of_one_shopper_keep_their_order_and_have_one_entry() -> None:
    batch = [encode(event(f"e{n}", "ann", at_ms=NOON_MS - n)) for n in range(9)]
    judged = judge(batch, SHOP, NOON_MS)
    times = [decode(record.value, (), NOON_MS).time_ms for record in judged.records]
    assert times == [NOON_MS - n for n in range(9)]
    assert len(judged.known_as) == 1


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (event("e", "ann", tenant="other"), Reason.BAD_ID),
        (event("e", "ann", kind=EventType.ERASE), Reason.UNKNOWN_EVENT_TYPE),
        (event("e", "ann", at_ms=NOON_MS - 25 * 3_600_000), Reason.LATE),
        (event("e", "ann", at_ms=NOON_MS + 6 * 60_000), Reason.FUTURE_TIME),
        (event("e", None), Reason.MISSING_FIELD),
    ],
)
def test_what_is_refused_goes_nowhere(spoilt: Event, reason: Reason) -> None:
    judged = judge([encode(spoilt), encode(event())], SHOP, NOON_MS)
    assert [verdict.reason for verdict in judged.verdicts] == [reason, None]
    assert len(judged.records) == 1
    assert (told(judged.verdicts).accepted, told(judged.verdicts).refused) == (1, 1)


@given(st.binary(max_size=300))
def test_any_bytes_have_a_verdict_that_tells_nothing_of_them(part: bytes) -> None:
    judged = judge([part], SHOP, NOON_MS)
    assert len(judged.verdicts) == 1
    judged_item = judge_items([part], "shop")
    assert len(judged_item.verdicts) == 1


def test_a_body_is_one_event_or_many() -> None:
    one = encode(event())
    assert list(parts_of(one)) == [one]
    assert list(parts_of(b'{"events": [%b, %b]}' % (one, one))) == [one, one]
    for body in (b"", b"[]", b'{"events": []}', b'{"events": null}', b"[" * 100_000):
        with pytest.raises((msgspec.MsgspecError, RecursionError)):
            parts_of(body)


def test_items_are_of_the_keys_tenant() -> None:
    item = {"item_id": "i1", "added_at": "2026-01-01T00:00:00Z"}
    parts = [
        encode(item),
        encode({**item, "tenant": "other"}),
        encode({**item, "item_id": "\u202ei"}),
        b'{"item_id": "i1", "item_id": "i2", "added_at": "2026-01-01T00:00:00Z"}',
    ]
    judged = judge_items(parts, "shop")
    assert [verdict.reason for verdict in judged.verdicts] == [
        None,
        Reason.BAD_ID,
        Reason.BAD_ID,
        Reason.DUPLICATE_KEY,
    ]
    [record] = judged.records
    assert record.key == b"shop:i1"
    assert msgspec.json.decode(record.value)["tenant"] == "shop"


def test_beside_a_replay_events_happen_at_the_time_of_the_shop() -> None:
    long_ago = NOON_MS - 15 * 365 * 86_400_000
    judged = judge([encode(event("e1", "ann")), b"{"], OPEN, NOON_MS, long_ago)
    [record] = judged.records
    assert decode(record.value, (), long_ago).time_ms == long_ago
    assert [verdict.status for verdict in judged.verdicts] == ["accepted", "refused"]
