from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from millstream.domain.decode import MAX_FUTURE_MS
from millstream.domain.errors import Reason, Refused
from millstream.domain.pseudonyms import KEY_BYTES, MASK, Pseudonyms
from millstream.domain.reviews import (
    MAX_TEXT_CHARS,
    VERDICT_ORDER,
    Review,
    ReviewCounts,
    Verdict,
    decode_review,
    decode_verdict,
)

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
SAID: dict[str, Any] = {
    "review_id": "r-1",
    "item_id": "mug",
    "user_id": "ann",
    "time": NOON.isoformat(),
    "title": "Good",
    "text": "a good mug",
}
JUDGED: dict[str, Any] = {
    "review_id": "r-1",
    "tenant": "default",
    "user": "ann",
    "item_id": "mug",
    "verdict": "good",
    "probability": 0.9,
    "model_version": "sentiment-v1",
    "time": NOON.isoformat(),
}


def wire(**changes: object) -> bytes:
    return msgspec.json.encode({k: v for k, v in {**SAID, **changes}.items() if v is not None})


def test_a_review_reads_as_it_was_said() -> None:
    review = decode_review(wire(rating=4), NOON_MS)
    assert (review.shopper, review.time_ms, review.rating) == ("ann", NOON_MS, 4)
    assert decode_review(wire(user_id=None, anonymous_id="c-1"), NOON_MS).shopper == "~c-1"
    assert decode_review(wire(written_on="a phone"), NOON_MS).item_id == "mug", (
        "unknown fields pass"
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.UNDECODABLE),
        (b"{", Reason.UNDECODABLE),
        (b"\xff", Reason.UNDECODABLE),
        (b'{"review_id":"a","review_id":"b",' + wire()[1:], Reason.DUPLICATE_KEY),
        (wire(review_id=""), Reason.BAD_ID),
        (wire(item_id="a{b}"), Reason.BAD_ID),
        (wire(user_id="~ann"), Reason.BAD_ID),
        (wire(user_id=None), Reason.MISSING_FIELD),
        (wire(review_id=None), Reason.MISSING_FIELD),
        (wire(title=" ", text="\n"), Reason.MISSING_FIELD),
        (wire(title="x" * 1025), Reason.OUT_OF_RANGE),
        (wire(text="x" * (MAX_TEXT_CHARS + 1)), Reason.OUT_OF_RANGE),
        (wire(text="x" * 70_000), Reason.TOO_LARGE),
        (wire(rating=6), Reason.OUT_OF_RANGE),
        (wire(rating="five"), Reason.WRONG_TYPE),
        (wire(time="2026-03-14T12:00:00"), Reason.WRONG_TYPE),
        (wire(time="1969-01-01T00:00:00Z"), Reason.OUT_OF_RANGE),
    ],
)
def test_what_is_no_review_is_refused_with_its_reason(value: bytes | None, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        decode_review(value, NOON_MS)
    assert refused.value.reason is reason


def test_a_review_of_tomorrow_is_refused_and_one_of_last_year_is_not() -> None:
    decode_review(wire(), NOON_MS - MAX_FUTURE_MS)
    with pytest.raises(Refused, match="future_time"):
        decode_review(wire(), NOON_MS - MAX_FUTURE_MS - 1)
    decode_review(wire(), NOON_MS + 400 * 86_400_000)


def test_a_refusal_holds_nothing_of_what_was_written() -> None:
    with pytest.raises(Refused) as refused:
        decode_review(wire(text="my street is Elm Street", rating=9), NOON_MS)
    assert "Elm" not in str(refused.value)


def test_a_verdict_reads_back_and_a_wrong_one_is_refused() -> None:
    verdict = decode_verdict(msgspec.json.encode(JUDGED))
    assert (verdict.verdict, verdict.time_ms) == (Verdict.GOOD, NOON_MS)
    for wrong in ({"verdict": "fine"}, {"probability": 2}, {"user": "a\nb"}, {"item_id": "{x}"}):
        with pytest.raises(Refused):
            decode_verdict(msgspec.json.encode(JUDGED | wrong))
    with pytest.raises(Refused):
        decode_verdict(None)


def test_stored_counts_know_verdicts_by_their_places() -> None:
    assert VERDICT_ORDER == (Verdict.BAD, Verdict.GOOD)


def test_the_share_that_likes_an_item() -> None:
    assert ReviewCounts(tenant="shop", item_id="mug", good=93, bad=7).liked == pytest.approx(0.93)
    assert ReviewCounts(tenant="shop", item_id="mug", good=0, bad=0).liked == 0


def test_pseudonyms_of_a_review_are_those_of_events_and_its_words_name_nobody() -> None:
    pseudonyms = Pseudonyms(b"k" * KEY_BYTES, "default")
    said = Review(
        review_id="r-ann", item_id="mug", user_id="ann", time=NOON, title="ann", text="by ann!"
    )
    made = pseudonyms.review(said)
    assert made.user_id == pseudonyms.shopper("ann")
    assert made.review_id != "r-ann"
    assert made.review_id == pseudonyms.review(said).review_id
    assert (made.item_id, made.title, made.text) == ("mug", MASK, f"by {MASK}!")
