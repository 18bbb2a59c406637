"""Reviews at the door: what is judged, what goes on, and that no raw id does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOON_MS
from tests.byte_scan import found_in

from millstream.domain.clock import as_datetime
from millstream.domain.decode import MAX_FUTURE_MS
from millstream.domain.errors import Reason
from millstream.domain.events import MAX_RECORD_BYTES
from millstream.domain.pseudonyms import KEY_BYTES, Pseudonyms
from millstream.domain.reviews import decode_review
from millstream.gateway.api_keys import Scope
from millstream.gateway.callers import Caller
from millstream.gateway.review_intake import judge_reviews, parts_of

PSEUDONYMS = Pseudonyms(b"k" * KEY_BYTES, "shop")
SHOP = Caller("id", "shop", frozenset(Scope), PSEUDONYMS)
OPEN = Caller("id", "shop", frozenset(Scope), None)
YEAR_MS = 365 * 86_400_000


def said(**changes: Any) -> bytes:
    fields = {
        "review_id": "order-4711",
        "item_id": "mug",
        "user_id": "ann@example.org",
        "time": as_datetime(NOON_MS).isoformat(),
        "text": "sturdy, says ann@example.org",
        **changes,
    }
    return msgspec.json.encode({name: held for name, held in fields.items() if held is not None})


def test_a_review_goes_on_under_pseudonyms_and_of_the_keys_tenant() -> None:
    judged = judge_reviews([said()], SHOP, NOON_MS)
    [record] = judged.records
    assert not found_in([record.key, record.value], {"ann@example.org", "order-4711"})
    sent = decode_review(record.value, NOON_MS)
    assert sent == PSEUDONYMS.review(
        msgspec.structs.replace(decode_review(said(), NOON_MS), tenant="shop")
    )
    assert sent.text == "sturdy, says *"
    assert record.key == f"shop:{PSEUDONYMS.shopper('ann@example.org')}".encode()
    assert judged.known_as == ((sent.shopper, "ann@example.org"),)


def test_without_pseudonyms_ids_go_as_they_come() -> None:
    judged = judge_reviews([said(user_id=None, anonymous_id="c-1")], OPEN, NOON_MS)
    assert judged.records[0].key == b"shop:~c-1"
    assert judged.known_as == ()


def test_an_old_review_is_taken() -> None:
    old = said(time=as_datetime(NOON_MS - 9 * YEAR_MS).isoformat())
    assert [verdict.reason for verdict in judge_reviews([old], SHOP, NOON_MS).verdicts] == [None]


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (said(tenant="other"), Reason.BAD_ID),
        (said(user_id=None), Reason.MISSING_FIELD),
        (said(text=" "), Reason.MISSING_FIELD),
        (said(item_id="{i}"), Reason.BAD_ID),
        (said(rating=6), Reason.OUT_OF_RANGE),
        (said(time=as_datetime(NOON_MS + MAX_FUTURE_MS + 1).isoformat()), Reason.FUTURE_TIME),
        (b'{"review_id": "a", "review_id": "b"', Reason.UNDECODABLE),
    ],
)
def test_what_is_refused_goes_nowhere(spoilt: bytes, reason: Reason) -> None:
    judged = judge_reviews([spoilt, said()], SHOP, NOON_MS)
    assert [verdict.reason for verdict in judged.verdicts] == [reason, None]
    assert len(judged.records) == 1


def test_a_review_that_pseudonyms_make_too_long_is_refused() -> None:
    bare = len(said(review_id="r", user_id="u", text=""))
    room = MAX_RECORD_BYTES - bare
    full = said(review_id="r", user_id="u", text="\x01" * (room // 6))  # six bytes each in JSON
    assert [v.reason for v in judge_reviews([full], OPEN, NOON_MS).verdicts] == [Reason.TOO_LARGE]
    assert decode_review(full, NOON_MS).item_id == "mug", "as it came it was not too long"


@given(st.binary(max_size=300))
def test_any_bytes_have_a_verdict_that_tells_nothing_of_them(part: bytes) -> None:
    assert len(judge_reviews([part], SHOP, NOON_MS).verdicts) == 1


def test_a_body_is_one_review_or_many() -> None:
    one = said()
    assert list(parts_of(one)) == [one]
    assert list(parts_of(b'{"reviews": [%b, %b]}' % (one, one))) == [one, one]
    for body in (b"", b"[]", b'{"reviews": []}', b'{"reviews": null}', b"[" * 100_000):
        with pytest.raises((msgspec.MsgspecError, RecursionError)):
            parts_of(body)
