"""What must hold of any bytes at all: they are an event that the store takes, a review whose
verdict is counted, or a dead letter."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
from aiokafka.structs import ConsumerRecord

from millstream.domain.acceptance import HORIZON_MS, check_in_time
from millstream.domain.decode import decode
from millstream.domain.errors import Reason, Refused
from millstream.domain.events import TYPE_INDEX, Event
from millstream.domain.identity import event_digest, record_key
from millstream.domain.log import Headers, LogRecord
from millstream.domain.replayed import ORIGIN, SIGNATURE
from millstream.domain.reviews import Review, decode_review, decode_verdict
from millstream.insights.reviews.judge import verdicts_of
from millstream.stores.ops import event_op
from millstream.streaming.dead_letters import MAX_LETTER_BYTES, letter
from millstream.streaming.stored_letters import read_letter

NOON_MS = 1_790_000_000_000
TIMES = (
    NOON_MS,
    NOON_MS + HORIZON_MS,
    NOON_MS + HORIZON_MS + 1,
    NOON_MS - 6 * 60_000,
    -1,
    0,
    -(2**63),
    2**63 - 1,
)
EVENTS, REVIEWS = "fuzz.events", "fuzz.reviews"
OF_REVIEWS = "review "
"""Before a label."""
_CE = (("ce_specversion", b"1.0"), ("ce_type", b"com.shop.view_item"))


_SERVING: Any = SimpleNamespace(
    version="fuzz", sentiment=SimpleNamespace(probabilities=lambda texts: np.zeros(len(texts)))
)


@dataclass(frozen=True)
class Tally:
    """By label."""

    verdicts: Counter[str]
    inputs: int


def label_of(data: bytes) -> str:
    """The reason of its refusal, or "accepted"; of a review after OF_REVIEWS. Raises
    AssertionError, or what it must not, where the promise is broken."""
    record = record_of(data)
    if record.topic == REVIEWS:
        return f"{OF_REVIEWS}{review_verdict_of(record) or 'accepted'}"
    return verdict_of(record) or "accepted"


def record_of(data: bytes) -> LogRecord:
    """The first bytes choose topic, log time, key and headers, the rest is the value."""
    shape, time, value = (*data[:2], 0, 0)[0], (0, *data[1:2])[-1], data[2:]
    topic = REVIEWS if time & 32 else EVENTS
    key = None if time & 64 else value[:4]
    body = None if shape == 255 else value
    headers = _headers(shape % 16, value)
    return LogRecord(topic, 1, 7, TIMES[time % len(TIMES)], key, body, headers)


def _headers(shape: int, value: bytes) -> Headers:
    if shape < 3:
        return ()
    if shape == 15:
        return tuple((f"h{n}", value) for n in range(40))
    head, middle, tail = value[:8], value[8:24], value[-8:]
    shapes: tuple[Headers, ...] = (
        (("content-type", b"application/cloudevents+json"),),
        (("Content-Type", middle),),
        (*_CE, ("ce_id", b"e1"), ("ce_time", b"2026-09-21T14:13:20Z")),
        (*_CE, ("ce_id", head), ("ce_time", middle)),
        (*_CE, ("ce_id", None)),
        (("ce_specversion", head),),
        (("ce_specversion", None), ("ce_type", tail)),
        ((ORIGIN, b"fuzz.events:1:2:3"), (SIGNATURE, middle)),
        ((ORIGIN, head),),
        (("millstream.error.reason", head), ("millstream.error.topic", None)),
        (("sent_at", tail), ("sent_at", None)),
        (("\u00e9\ud7ff\U0010ffff", head), ("", b"")),
    )
    return shapes[shape - 3]


def verdict_of(record: LogRecord) -> Reason | None:
    try:
        event = decode(record.value, record.headers, record.log_ms)
        check_in_time(event, record.log_ms)
    except Refused as refused:
        _check_letter(record, refused)
        return refused.reason
    _check_storable(event, record)
    return None


def review_verdict_of(record: LogRecord) -> Reason | None:
    try:
        review = decode_review(record.value, record.log_ms)
    except Refused as refused:
        _check_letter(record, refused)
        return refused.reason
    _check_countable(review)
    return None


def _check_countable(review: Review) -> None:
    record_key(review.tenant, review.shopper)
    [verdict] = verdicts_of([review], _SERVING)
    assert decode_verdict(msgspec.json.encode(verdict)) == verdict


def _check_storable(event: Event, record: LogRecord) -> None:
    record_key(event.tenant, event.shopper)
    lines = [(1, line.item_id.encode()) for line in event.items]
    what = (event.time_ms, event_digest(event.event_id))
    event_op((record.offset, max(0, record.log_ms)), TYPE_INDEX[event.type], (0, 0), what, lines)


def _check_letter(record: LogRecord, refused: Refused) -> None:
    value, key, headers = letter(record, refused)
    size = len(value or b"") + len(key or b"") + sum(len(held or b"") for _, held in headers)
    assert size <= MAX_LETTER_BYTES
    assert value is not None or key is not None, "aiokafka sends no record without either"
    sent: Any = ConsumerRecord(
        f"{record.topic}.dlq",
        0,
        0,
        0,
        1,
        key,
        value,
        None,
        0,
        0,
        headers,
    )
    found = read_letter(sent)
    assert found is not None
    assert found.reason in set(Reason)
    assert (found.topic, found.source_partition, found.source_offset) == (record.topic, 1, 7)
    if found.whole:
        assert (found.value, found.key) == (record.value, record.key)
    assert refused.detail.isprintable() or not refused.detail.isascii()


def seeds() -> list[bytes]:
    """Inputs from which others are made: what shops send, and what once was hard."""
    event = {
        "event_id": "e1",
        "type": "purchase",
        "time": "2026-09-21T14:13:20.5+02:00",
        "tenant": "shop-2",
        "user_id": "u\u00e9",
        "anonymous_id": "a",
        "items": [{"item_id": "i1", "quantity": 2, "price": 3.25, "index": 1}],
        "query": '":',
        "currency": "EUR",
        "session_id": "s",
        "transaction_id": "t",
        "recommendation_id": "r",
        "context": {"a": 1, "b": -0.5, "c": None, "d": True, "e": "\u2028"},
    }
    small = {k: event[k] for k in ("event_id", "time", "user_id")} | {
        "type": "search",
        "query": "q",
    }
    envelope = {"specversion": "1.0", "id": "e1", "type": "x.search", "data": small, "x": [1]}
    easy = [json.dumps(made).encode() for made in (event, small, envelope)]
    easy += [json.dumps(event, indent=1, ensure_ascii=False).encode()]
    hard = [b'{"a":' * 17, b"[" * 70_000, b'{"x":1e400}', b'{"x":' + b"9" * 5000 + b"}", b"\xff"]
    hard += [easy[1].replace(b"{", b'{"event_id" :"e0",'), b'"\\ud800"', b"", b"x" * 66_000]
    shaped = [bytes([shape, 0]) + body for body in easy for shape in (0, 0, 0, 3, 5)]
    shaped += [bytes([0, time]) + body for body in (*easy, *hard) for time in (0, 2)]
    reviews = _reviews()
    shaped += [bytes([0, 32]) + body for body in reviews for _ in range(5)]
    return shaped + [bytes([0, time]) + body for body in (*reviews, *hard) for time in (32, 34)]


def _reviews() -> list[bytes]:
    review = {
        "review_id": "r1",
        "item_id": "i1",
        "time": "2026-09-21T14:13:20.5+02:00",
        "tenant": "shop-2",
        "user_id": "u\u00e9",
        "anonymous_id": "a",
        "title": '":',
        "text": "broke after a week \u2028\n",
        "rating": 1.5,
    }
    small = {k: review[k] for k in ("review_id", "item_id", "time", "anonymous_id", "text")}
    made = [json.dumps(one).encode() for one in (review, small, {**review, "lang": {"a": [1]}})]
    return [*made, made[1].replace(b"{", b'{"review_id" :"r0",', 1)]
