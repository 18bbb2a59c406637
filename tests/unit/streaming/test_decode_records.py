"""Every record of a range is an arrival or a durable dead letter."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest
from tests.builders import NOON_MS, TOPIC, event, record

from millstream.domain.acceptance import HORIZON_MS
from millstream.domain.errors import Reason
from millstream.domain.events import MAX_RECORD_BYTES
from millstream.streaming.dead_letters import PREFIX, DeadLetters
from millstream.streaming.decode import Decoded, Letter, decode_records

if TYPE_CHECKING:
    from millstream.streaming.decode import Record

GOOD = event()


class Letters:
    """`gate`: letters are durable when it is set."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.values: list[bytes | None] = []
        self.places: list[tuple[str, int]] = []

    async def send_and_wait(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> object:
        assert topic == f"{TOPIC}.dlq"
        assert key in {b"key", b"shop:ann"}
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        told = dict(headers or ())
        self.values.append(value)
        self.places.append((told[f"{PREFIX}reason"].decode(), int(told[f"{PREFIX}offset"])))
        return None


async def decoded(records: Sequence[Record], letters: Letters | None = None) -> Decoded:
    return await decode_records(TOPIC, 3, records, DeadLetters(letters or Letters()))


async def test_each_record_has_its_place_and_the_range_has_no_gap() -> None:
    letters = Letters()
    found = await decoded(
        [record(GOOD, 7), record(b"{", 8), record(GOOD, 9), record(None, 11)], letters
    )
    assert (found.topic, found.partition, found.start, found.to) == (TOPIC, 3, 7, 12)
    assert [arrival.offset for arrival in found.arrivals] == [7, 9]
    assert found.letters == [
        Letter(8, NOON_MS, Reason.UNDECODABLE),
        Letter(11, NOON_MS, Reason.UNDECODABLE),
    ]
    assert sorted(letters.places) == [("undecodable", 8), ("undecodable", 11)]
    assert {*letters.values} == {b"{", None}


async def test_a_letter_is_of_the_tenant_that_its_key_names() -> None:
    told, untold = record(b"{", 7), record(b"{", 8)
    found = await decoded([replace(told, key=b"shop:ann"), untold])
    assert [letter.tenant for letter in found.letters] == ["shop", None]


@pytest.mark.parametrize(
    ("value", "log_ms", "reason"),
    [
        (GOOD, NOON_MS + HORIZON_MS, None),
        (GOOD, NOON_MS + HORIZON_MS + 1, Reason.LATE),
        (GOOD, NOON_MS - 5 * 60_000, None),
        (GOOD, NOON_MS - 5 * 60_000 - 1, Reason.FUTURE_TIME),
        (b" " * (MAX_RECORD_BYTES + 1), NOON_MS, Reason.TOO_LARGE),
        (b'{"type":"levitate"}', NOON_MS, Reason.UNKNOWN_EVENT_TYPE),
    ],
)
async def test_the_reason_goes_by_the_log_and_the_bytes(
    value: object, log_ms: int, reason: Reason | None
) -> None:
    found = await decoded([record(cast(bytes, value), 0, log_ms=log_ms)])
    assert [letter.reason for letter in found.letters] == ([] if reason is None else [reason])
    assert len(found.arrivals) == (reason is None)


async def test_it_returns_when_the_letters_are_durable() -> None:
    letters = Letters()
    letters.gate.clear()
    waiting = asyncio.create_task(decoded([record(b"{", 0), record(b"{", 1)], letters))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    letters.gate.set()
    assert len((await waiting).letters) == 2


async def test_a_letter_that_fails_leaves_nothing_handled() -> None:
    letters = Letters()
    letters.failure = ConnectionError()
    with pytest.raises(ConnectionError):
        await decoded([record(GOOD, 0), record(b"{", 1)], letters)


@pytest.mark.parametrize(
    ("times", "clock_ms"),
    [
        ((5, 9, 7), 9),
        ((-1, -1), 0),  # a producer that gives no time
        ((-1,), 0),
        ((2**62, 4), 2**53 - 1),
    ],
)
async def test_the_clock_is_the_greatest_log_time_the_store_takes(
    times: tuple[int, ...], clock_ms: int
) -> None:
    found = await decoded([record(GOOD, n, log_ms=time) for n, time in enumerate(times)])
    assert found.clock_ms == clock_ms


async def test_the_witness_knows_the_last_record() -> None:
    one = (await decoded([record(b"a", 4), record(b"b", 5)])).witness
    same = (await decoded([record(b"x", 4), record(b"b", 5)])).witness
    other = (await decoded([record(b"a", 4), record(b"c", 5)])).witness
    assert one == same != other
    assert one.startswith("5:")


async def test_headers_travel_with_the_event() -> None:
    headers = (("sent_at", b"17"),)
    (arrival,) = (await decoded([record(GOOD, 0, headers=headers)])).arrivals
    assert arrival.headers == headers
