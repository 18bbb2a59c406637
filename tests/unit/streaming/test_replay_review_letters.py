"""Refused reviews back to their topic: as they were or mended, and not what was erased since."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.builders import NOON_MS, record

from millstream.domain.clock import as_datetime
from millstream.domain.decode import MAX_FUTURE_MS
from millstream.domain.errors import Reason, Refused
from millstream.domain.log import Headers, LogRecord
from millstream.domain.reviews import decode_review
from millstream.streaming.dead_letters import letter
from millstream.streaming.replay_letters import (
    ERASED,
    NO_CONTENT,
    OTHER_TOPIC,
    NotSent,
    prepare_all,
)
from millstream.streaming.replay_review_letters import ReviewReplayer
from millstream.streaming.stored_letters import StoredLetter, read_letter

TOPIC = "t.shop.reviews.v1"
REPLAYER = ReviewReplayer(TOPIC)


def said(**changes: Any) -> bytes:
    fields = {
        "review_id": "r-1",
        "item_id": "mug",
        "user_id": "ann",
        "time": as_datetime(NOON_MS).isoformat(),
        "text": "sturdy",
        **changes,
    }
    return msgspec.json.encode({name: held for name, held in fields.items() if held is not None})


def refused(
    value: bytes | None,
    reason: Reason = Reason.BAD_ID,
    topic: str = TOPIC,
    headers: Headers = (("sent_at", b"1"), ("trace", b"t")),
) -> StoredLetter:
    source = LogRecord(topic, 3, 41, NOON_MS, b"default:ann", value, headers)
    body, key, told = letter(source, Refused(reason, "as it was"))
    held: Any = told
    stored = record(body, 17, partition=4, topic=f"{topic}.dlq", headers=held)
    stored.key = key
    found = read_letter(stored)
    assert found is not None
    return found


def why_not(one: StoredLetter, mended: bytes | None = None, **marks: int) -> str:
    erasures = {("default", name): at for name, at in marks.items()}
    with pytest.raises(NotSent) as told:
        ReviewReplayer(TOPIC, erasures).prepare(one, mended)
    return told.value.reason


def test_a_mended_review_goes_to_its_shoppers_partition_with_the_headers_it_came_with() -> None:
    mended = said(user_id="bob")
    replay = REPLAYER.prepare(refused(said(item_id="{mug}")), mended)
    assert (replay.topic, replay.key, replay.value) == (TOPIC, b"default:bob", mended)
    assert replay.headers == (("trace", b"t"),), "neither ours nor the time of the first sending"
    assert decode_review(replay.value, NOON_MS).review_id == "r-1", "by which it counts once"


def test_what_was_refused_wrongly_goes_as_it_came() -> None:
    replay = REPLAYER.prepare(refused(said()))
    assert (replay.key, replay.value) == (b"default:ann", said())


def test_what_would_be_refused_again_stays() -> None:
    assert why_not(refused(said(item_id="{mug}"))) == Reason.BAD_ID
    assert why_not(refused(b"{"), said(text="", title="")) == Reason.MISSING_FIELD
    future = said(time=as_datetime(NOON_MS + MAX_FUTURE_MS + 1).isoformat())
    assert why_not(refused(future, Reason.FUTURE_TIME)) == Reason.FUTURE_TIME
    assert why_not(refused(None)) == NO_CONTENT
    assert why_not(refused(said(), topic="t.shop.events.v1")) == OTHER_TOPIC


def test_what_an_erased_shopper_wrote_before_does_not_come_back() -> None:
    one = refused(said(item_id="{mug}"))
    assert why_not(one, said(), ann=NOON_MS) == ERASED
    assert why_not(one, said(user_id="bob"), ann=NOON_MS) == ERASED, "under another's name"
    assert why_not(one, said(user_id="bob"), bob=NOON_MS) == ERASED
    by_bytes = refused(b'{"user_id": "ann"')
    assert why_not(by_bytes, said(user_id="bob"), ann=NOON_MS) == ERASED, "by its key"
    erased_before = ReviewReplayer(TOPIC, {("default", "ann"): NOON_MS - 1})
    assert erased_before.prepare(one, said()).value == said()


def test_letters_are_counted_by_why_they_stay() -> None:
    letters = [refused(said()), refused(b"{", Reason.UNDECODABLE)]
    replays, not_sent = prepare_all(REPLAYER, letters, {})
    assert [replay.value for replay in replays] == [said()]
    assert not_sent == {Reason.UNDECODABLE: 1}
