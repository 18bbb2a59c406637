"""From a refusal to its letter, from the letter to a record that the workers take."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.builders import NOON_MS, TOPIC, event, record

from millstream.domain import erasures
from millstream.domain.acceptance import HORIZON_MS
from millstream.domain.decode import decode as domain_decode
from millstream.domain.errors import Reason, Refused
from millstream.domain.events import Event
from millstream.domain.log import Headers, LogRecord
from millstream.domain.replayed import Origin
from millstream.streaming import replay_letters
from millstream.streaming.dead_letters import letter
from millstream.streaming.replay_letters import NotSent, Replayer, prepare_all, send_all
from millstream.streaming.replayed import signed_origins
from millstream.streaming.stored_letters import StoredLetter, Wanted, read_letter

if TYPE_CHECKING:
    from millstream.streaming.decode import Record

KEY = Ed25519PrivateKey.generate()
REPLAYER = Replayer(TOPIC, KEY)
GOOD = msgspec.json.encode(event())
BAD = GOOD.replace(b'"view_item"', b'"levitate"')
WHY = Refused(Reason.UNKNOWN_EVENT_TYPE, "$.type is none of the event types")


def refused(
    value: bytes | None = BAD,
    why: Refused = WHY,
    headers: Headers = (("sent_at", b"1"), ("trace", b"\xfe")),
    log_ms: int = NOON_MS + 7,
    origin: Origin | None = None,
    key: bytes | None = b"default:ann",
) -> StoredLetter:
    """As it comes back from the dead-letter topic, where it is at 4:17."""
    source = LogRecord(TOPIC, 3, 41, log_ms, key, value, headers)
    body, letter_key, told = letter(source, why, origin)
    found = read_letter(stored(body, letter_key, told))
    assert found is not None
    return found


def stored(value: bytes | None, key: bytes | None, headers: Headers) -> Record:
    told: Any = headers  # a header may be null
    made = record(value, 17, partition=4, topic=f"{TOPIC}.dlq", headers=told)
    made.key = key
    return made


def test_a_letter_says_what_was_refused_and_where() -> None:
    found = refused()
    assert (found.place, found.reason, found.detail) == ("4:17", WHY.reason, WHY.detail)
    assert (found.topic, found.source_partition, found.source_offset) == (TOPIC, 3, 41)
    assert (found.log_ms, found.value, found.key) == (NOON_MS + 7, BAD, b"default:ann")
    assert found.origin == Origin(TOPIC, 3, 41, NOON_MS + 7)
    assert found.headers == (("sent_at", b"1"), ("trace", b"\xfe"))
    assert (found.whole, found.tenant) == (True, "default")


def test_a_letter_of_a_replayed_letter_says_where_it_stood_at_first() -> None:
    first = Origin(TOPIC, 0, 2, NOON_MS)
    assert refused(origin=first, log_ms=NOON_MS + HORIZON_MS).origin == first


@pytest.mark.parametrize("headers", [(), (("millstream.error.topic", b"t"),)])
def test_what_is_no_letter_is_none(headers: Headers) -> None:
    assert read_letter(stored(b"x", b"k", headers)) is None


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (Wanted(), True),
        (Wanted(reasons=frozenset({Reason.UNKNOWN_EVENT_TYPE})), True),
        (Wanted(reasons=frozenset({Reason.LATE})), False),
        (Wanted(places=frozenset({"4:17"})), True),
        (Wanted(places=frozenset({"3:41"})), False),
        (Wanted(partition=3), True),
        (Wanted(partition=4), False),
        (Wanted(since_ms=NOON_MS + 7, until_ms=NOON_MS + 8), True),
        (Wanted(since_ms=NOON_MS + 8), False),
        (Wanted(until_ms=NOON_MS + 7), False),
        (Wanted(tenant="default"), True),
        (Wanted(tenant="default:ann"), False),
    ],
)
def test_filters(wanted: Wanted, taken: bool) -> None:
    assert wanted.takes(refused()) == taken


def test_mended_it_goes_back_signed_under_its_shoppers_key() -> None:
    made = REPLAYER.prepare(refused(key=b"somewhere"), GOOD)
    assert (made.topic, made.key, made.value) == (TOPIC, b"default:ann", GOOD)
    assert made.headers[0] == ("trace", b"\xfe"), "what the shop sent, but for its clock"
    rule = signed_origins(KEY.public_key())
    assert rule(TOPIC, made.key, made.value, made.headers) == Origin(TOPIC, 3, 41, NOON_MS + 7)


def test_as_it_was_it_keeps_its_key() -> None:
    over = refused(GOOD, Refused(Reason.OVER, "too many"), key=b"somewhere")
    assert REPLAYER.prepare(over).key == b"somewhere"


LATE = refused(GOOD, Refused(Reason.LATE, "late"), log_ms=NOON_MS + HORIZON_MS + 1)


@pytest.mark.parametrize(
    ("what", "mended", "reason"),
    [
        (refused(), None, "unknown_event_type"),
        (refused(), b"{", "undecodable"),
        (refused(None, key=None), None, "no_content"),
        (refused(b"x" * 3_000_000), None, "no_content"),
        (LATE, None, "late"),
        (refused(GOOD, headers=(("h", b"x" * (64 * 1024 - len(GOOD) - 50)),)), None, "too_large"),
    ],
)
def test_what_would_be_refused_again_is_not_sent(
    what: StoredLetter, mended: bytes | None, reason: str
) -> None:
    with pytest.raises(NotSent) as caught:
        REPLAYER.prepare(what, mended)
    assert caught.value.reason == reason


def test_one_that_kills_is_never_decoded_and_goes_back_only_when_mended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def decode(value: bytes | None, headers: Headers, log_ms: int) -> Event:
        assert value != BAD, "this process would be dead now"
        return honest(value, headers, log_ms)

    honest = domain_decode
    monkeypatch.setattr(replay_letters, "decode", decode)
    monkeypatch.setattr(erasures, "decode", decode)
    replayer = Replayer(TOPIC, KEY, erasures={("default", "bob"): NOON_MS})
    poison = refused(BAD, Refused(Reason.POISON, "not read"))
    with pytest.raises(NotSent, match="poison"):
        replayer.prepare(poison)
    assert replayer.prepare(poison, GOOD).value == GOOD


def test_another_deployments_letter_is_not_sent() -> None:
    with pytest.raises(NotSent, match="other_topic"):
        Replayer("elsewhere.events", KEY).prepare(refused(), GOOD)


@pytest.mark.parametrize(
    ("mark_ms", "reason"), [(NOON_MS + 7, "erased"), (NOON_MS, "erased"), (NOON_MS - 1, None)]
)
@pytest.mark.parametrize("mended", [None, GOOD])
def test_what_an_erased_shopper_did_before_is_not_brought_back(
    mark_ms: int, reason: str | None, mended: bytes | None
) -> None:
    replayer = Replayer(TOPIC, KEY, erasures={("default", "ann"): mark_ms})
    over = refused(GOOD, Refused(Reason.OVER, "too many"))
    _, not_sent = prepare_all(replayer, [over], {} if mended is None else {"4:17": mended})
    assert list(not_sent) == ([] if reason is None else [reason])


def test_late_ones_are_taken_when_told_and_only_they_are_marked() -> None:
    replayer = Replayer(TOPIC, KEY, accept_late=True)
    rule = signed_origins(KEY.public_key())
    for what, marked in ((LATE, True), (refused(GOOD), False)):
        made = replayer.prepare(what)
        origin = rule(TOPIC, made.key, made.value, made.headers)
        assert origin is not None
        assert origin.accept_late is marked


class Producer:
    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None]] = []
        self.at: list[float] = []

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> asyncio.Future[object]:
        assert isinstance(headers, list), "aiokafka takes no other sequence"
        self.sent.append((topic, value, key))
        self.at.append(asyncio.get_running_loop().time())
        durable: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        durable.set_result(None)
        return durable


async def test_they_go_out_no_faster_than_told() -> None:
    replays, not_sent = prepare_all(REPLAYER, [refused(), LATE] * 3, {"4:17": GOOD})
    assert (len(replays), dict(not_sent)) == (3, {"late": 3})
    producer = Producer()
    await send_all(producer, replays, per_second=50)
    assert producer.sent == [(TOPIC, GOOD, b"default:ann")] * 3
    assert producer.at[2] - producer.at[0] >= 0.039
