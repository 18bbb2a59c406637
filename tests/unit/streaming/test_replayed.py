"""A claim of origin counts with the operator's signature, and not otherwise."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOON_MS, TOPIC, event, record

from millstream.domain.acceptance import HORIZON_MS
from millstream.domain.errors import Reason
from millstream.domain.log import Headers
from millstream.domain.replayed import ORIGIN, SIGNATURE, Origin, read_claim, to_sign
from millstream.streaming.dead_letters import PREFIX, DeadLetters
from millstream.streaming.decode import Decoded, decode_records
from millstream.streaming.replayed import signed_headers, signed_origins

KEY = Ed25519PrivateKey.generate()
OTHER = Ed25519PrivateKey.generate()
RULE = signed_origins(KEY.public_key())
FIRST = Origin(TOPIC, 2, 41, NOON_MS)
BODY = msgspec.json.encode(event())
LATER_MS = NOON_MS + 10 * HORIZON_MS


class Letters:
    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []

    async def send_and_wait(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> object:
        assert (topic, key) == (f"{TOPIC}.dlq", b"key")
        assert value is not None
        self.told.append({name: held.decode("latin-1") for name, held in headers or ()})
        return None


def signed(
    origin: Origin = FIRST, body: bytes = BODY, key: Ed25519PrivateKey = KEY, theirs: Headers = ()
) -> list[tuple[str, bytes]]:
    return [
        (name, held)
        for name, held in signed_headers(key, origin, b"key", body, theirs)
        if held is not None
    ]


async def judged(
    headers: list[tuple[str, bytes]],
    body: bytes = BODY,
    log_ms: int = LATER_MS,
    letters: Letters | None = None,
) -> Decoded:
    records = [record(body, 7, log_ms=log_ms, headers=headers)]
    return await decode_records(TOPIC, 0, records, DeadLetters(letters or Letters()), RULE)


async def test_a_signed_letter_is_judged_by_its_first_log_time() -> None:
    (arrival,) = (await judged(signed())).arrivals
    assert (arrival.letter, arrival.judged_ms) == (f"{TOPIC}:2:41", NOON_MS)
    assert (arrival.offset, arrival.log_ms, arrival.origin) == (7, LATER_MS, FIRST)
    (plain,) = (await judged([], log_ms=NOON_MS)).arrivals
    assert (plain.letter, plain.origin) == (None, None)


async def test_what_was_late_is_late_again_unless_the_operator_takes_it() -> None:
    late = Origin(TOPIC, 2, 41, NOON_MS + HORIZON_MS + 1)
    letters = Letters()
    found = await judged(signed(late), letters=letters)
    assert [letter.reason for letter in found.letters] == [Reason.LATE]
    assert letters.told[0][f"{PREFIX}origin"] == f"{TOPIC}:2:41"
    assert letters.told[0][f"{PREFIX}origin_log_ms"] == str(late.log_ms)
    assert letters.told[0][f"{PREFIX}offset"] == "7"
    assert not {ORIGIN, SIGNATURE} & letters.told[0].keys()
    taken = Origin(TOPIC, 2, 41, late.log_ms, accept_late=True)
    assert len((await judged(signed(taken))).arrivals) == 1


async def test_ahead_of_the_log_is_ahead_again() -> None:
    early = Origin(TOPIC, 2, 41, NOON_MS - HORIZON_MS)
    found = await judged(signed(early))
    assert [letter.reason for letter in found.letters] == [Reason.FUTURE_TIME]


def without(name: str) -> list[tuple[str, bytes]]:
    return [header for header in signed() if header[0] != name]


def with_claim(claim: bytes) -> list[tuple[str, bytes]]:
    return [*without(ORIGIN), (ORIGIN, claim)]


UNSIGNED: dict[str, tuple[list[tuple[str, bytes]], bytes]] = {
    "another key": (signed(key=OTHER), BODY),
    "no signature": (without(SIGNATURE), BODY),
    "a short signature": ([*without(SIGNATURE), (SIGNATURE, dict(signed())[SIGNATURE][:-1])], BODY),
    "another body": (signed(), msgspec.json.encode(event("e2"))),
    "another offset": (with_claim(FIRST.claim().replace(b":41:", b":42:")), BODY),
    "late after all": (with_claim(FIRST.claim() + b":accept-late"), BODY),
    "a header more": ([*signed(), ("ce_id", b"e2")], BODY),
    "another topic": (signed(Origin("t.elsewhere", 2, 41, NOON_MS)), BODY),
    "two claims": ([*signed(), *signed()], BODY),
    "no claim": (with_claim(b"t:1"), BODY),
}


@pytest.mark.parametrize("name", UNSIGNED)
async def test_what_the_operator_did_not_sign_is_a_plain_record(name: str) -> None:
    headers, body = UNSIGNED[name]
    found = await judged(headers, body)
    assert [letter.reason for letter in found.letters] == [Reason.LATE], "judged by its own time"
    in_time = await judged(headers, body, log_ms=NOON_MS)
    assert [arrival.letter for arrival in in_time.arrivals] == [None]


async def test_headers_of_the_record_are_covered_and_kept() -> None:
    theirs = (("ce_id", b"e1"), ("trace", b"\xfe"))
    found = await judged(signed(theirs=(*theirs, (f"{PREFIX}reason", b"late"))))
    (arrival,) = found.arrivals
    assert tuple(arrival.headers[:2]) == theirs
    assert arrival.letter is not None


@given(
    st.lists(st.tuples(st.text(max_size=4), st.none() | st.binary(max_size=4)), max_size=3),
    st.lists(st.tuples(st.text(max_size=4), st.none() | st.binary(max_size=4)), max_size=3),
    st.tuples(st.none() | st.binary(max_size=3), st.none() | st.binary(max_size=3)),
    st.tuples(st.none() | st.binary(max_size=3), st.none() | st.binary(max_size=3)),
)
def test_two_records_are_never_signed_alike(
    one: list[tuple[str, bytes | None]],
    other: list[tuple[str, bytes | None]],
    first: tuple[bytes | None, bytes | None],
    second: tuple[bytes | None, bytes | None],
) -> None:
    same = (one, first) == (other, second)
    assert (to_sign(b"c", *first, tuple(one)) == to_sign(b"c", *second, tuple(other))) == same


@pytest.mark.parametrize(
    "claim",
    [
        b"",
        b"t",
        b"t:1:2",
        b"t:1:2:x",
        b"t:01:2:3",
        b"t:1:2:3:late",
        b"t:1:2:3:accept-late:",
        b"\xff",
    ],
)
def test_a_claim_is_read_only_as_it_is_written(claim: bytes) -> None:
    assert read_claim(claim) is None


def test_a_claim_comes_back() -> None:
    for origin in (FIRST, Origin("t", 0, 0, -1, accept_late=True)):
        assert read_claim(origin.claim()) == origin


def test_a_signature_by_any_of_the_keys_counts_and_by_no_other() -> None:
    for keys, counts in (((OTHER, KEY), True), ((KEY, OTHER), True), ((OTHER,), False)):
        rule = signed_origins(*(key.public_key() for key in keys))
        assert (rule(TOPIC, b"key", BODY, tuple(signed())) == FIRST) is counts
