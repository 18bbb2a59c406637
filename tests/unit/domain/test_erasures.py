"""Which records an erasure covers: all of the shopper's from before it, and nobody else's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.builders import NOON_MS, event

from millstream.domain.erasures import Erasure, is_covered
from millstream.domain.lists import Origin
from millstream.domain.log import Headers, LogRecord
from millstream.domain.pseudonyms import KEY_BYTES, Pseudonyms

OURS = Pseudonyms(b"k" * KEY_BYTES, "default")
ANN, COOKIE = OURS.shopper("ann"), OURS.shopper("~cookie")
MARKS = {("default", ANN): NOON_MS, ("default", COOKIE): NOON_MS, ("shop-2", "bob"): NOON_MS}


def record(
    value: bytes | None, log_ms: int = NOON_MS, key: bytes | None = None, headers: Headers = ()
) -> LogRecord:
    return LogRecord("t", 0, 7, log_ms, key, value, headers)


def said(user: str | None = ANN, at_ms: int = NOON_MS, **more: Any) -> bytes:
    return msgspec.json.encode(event("e1", user, at_ms=at_ms, **more))


def test_the_mark_is_the_log_time_to_the_millisecond() -> None:
    erasure = Erasure(
        tenant="default", user="u", time=event(at_ms=NOON_MS + 1).time, origin=Origin("t", 0, 1)
    )
    assert erasure.mark_ms == NOON_MS + 1
    again = msgspec.json.decode(msgspec.json.encode(erasure), type=Erasure)
    assert (again, again.mark_ms) == (erasure, NOON_MS + 1)


@pytest.mark.parametrize(
    ("event_ms", "log_ms", "covered"),
    [
        (NOON_MS - 5, NOON_MS - 4, True),
        (NOON_MS, NOON_MS, True),
        (NOON_MS, NOON_MS + 9, True),  # a late retry of what was before
        (NOON_MS + 9, NOON_MS, True),  # a shop whose clock is ahead
        (NOON_MS + 1, NOON_MS + 1, False),
    ],
)
def test_either_clock_puts_an_event_before_the_mark(
    event_ms: int, log_ms: int, covered: bool
) -> None:
    assert is_covered(record(said(at_ms=event_ms), log_ms), MARKS) is covered


def test_only_the_shopper_s_own_events() -> None:
    assert is_covered(record(said(None, anonymous_id=COOKIE[1:])), MARKS)
    assert is_covered(record(said("bob", tenant="shop-2")), MARKS)
    assert not is_covered(record(said("bob")), MARKS)
    assert not is_covered(record(said("carl")), MARKS)
    # The key may be anything: a retry that lost its way is the shopper's all the same.
    assert is_covered(record(said(), key=b"elsewhere"), MARKS)
    assert not is_covered(record(said("carl"), key=b"default:" + ANN.encode()), MARKS)
    # A signed-in shopper's events are that shopper's, whichever cookie they came with.
    assert not is_covered(record(said("carl", anonymous_id=COOKIE[1:])), MARKS)
    assert not is_covered(record(said()), {})


@pytest.mark.parametrize(
    "value",
    [
        said()[:-1],  # cut short
        said().replace(b"view_item", b"levitate"),
        said(None, anonymous_id=COOKIE[1:])[:-2],
        b'{"data":{"user_id":"%b"}}' % ANN.encode(),
        b"\xff\xfe" + ANN.encode() + b"\x00",
        b'{"tenant":"shop-2","user_id":"bob"}',
    ],
)
def test_what_is_no_event_is_covered_if_it_names_the_shopper(value: bytes) -> None:
    assert is_covered(record(value), MARKS)
    assert not is_covered(record(value, NOON_MS + 1), MARKS)


@pytest.mark.parametrize(
    ("value", "key", "covered"),
    [
        (None, b"default:" + ANN.encode(), True),
        (b"", b"shop-2:bob", True),
        (b"{", b"default:bob", False),
        (b'{"user_id":"bob"}', None, False),
        (b'{"user_id":7}', b"\xff", False),
        (b"x" + ANN.encode(), None, False),  # another word
        (None, None, False),
        (b"[" * 100_000, None, False),
    ],
)
def test_what_says_little_is_told_by_its_key(
    value: bytes | None, key: bytes | None, covered: bool
) -> None:
    assert is_covered(record(value, key=key), MARKS) is covered
