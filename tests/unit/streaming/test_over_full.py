"""Letters of over-full events: durable before the debt is struck off, sent when someone died."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.builders import NOON_MS, TOPIC, event, record
from tests.memory_outbox import MemoryLog, MemoryOutbox

from millstream.domain.replayed import Origin
from millstream.streaming.dead_letters import PREFIX, DeadLetters
from millstream.streaming.decode import decode_records
from millstream.streaming.over_full import OverFull
from millstream.streaming.replayed import signed_headers, signed_origins

if TYPE_CHECKING:
    from millstream.streaming.decode import Record

PLACE = (TOPIC, 3, 1)


class Sender:
    def __init__(self, outbox: MemoryOutbox) -> None:
        self.sent: list[tuple[bytes | None, dict[str, str]]] = []
        self.owed_at_send: list[set[tuple[str, int, int]]] = []
        self.failure: Exception | None = None
        self._outbox = outbox

    async def send_and_wait(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> object:
        assert (topic, key) == (f"{TOPIC}.dlq", b"key" if value else None)
        if self.failure is not None:
            raise self.failure
        self.owed_at_send.append(set(self._outbox.places))
        told = {n.removeprefix(PREFIX): h.decode() for n, h in headers or () if n[:6] == PREFIX[:6]}
        self.sent.append((value, told))
        return None


class World:
    def __init__(self, *records: Record) -> None:
        self.outbox = MemoryOutbox()
        self.sender = Sender(self.outbox)
        self.log = MemoryLog(records)
        self.gone = 0
        self.key = Ed25519PrivateKey.generate()
        self.over_full = OverFull(
            DeadLetters(self.sender),
            self.outbox,
            self.log,
            signed_origins(self.key.public_key()),
            self._on_gone,
        )

    def _on_gone(self) -> None:
        self.gone += 1


RECORDS = [record(event(f"e{n}"), n, partition=3) for n in range(3)]


async def test_the_letter_is_durable_before_the_debt_is_struck_off() -> None:
    world = World()
    world.outbox.places = {PLACE, (TOPIC, 3, 99)}
    found = await decode_records(TOPIC, 3, RECORDS, DeadLetters(world.sender))
    await world.over_full.send(RECORDS, [found.arrivals[1]])
    assert [(told["reason"], told["offset"]) for _, told in world.sender.sent] == [("over", "1")]
    assert PLACE in world.sender.owed_at_send[0]
    assert world.outbox.places == {(TOPIC, 3, 99)}


async def test_a_letter_that_did_not_leave_is_still_owed() -> None:
    world = World(*RECORDS)
    world.outbox.places = {PLACE}
    found = await decode_records(TOPIC, 3, RECORDS, DeadLetters(world.sender))
    world.sender.failure = ConnectionError()
    with pytest.raises(ConnectionError):
        await world.over_full.send(RECORDS, [found.arrivals[1]])
    with pytest.raises(ConnectionError):
        await world.over_full.send_owed({(TOPIC, 3): 3})
    assert world.outbox.places == {PLACE}


async def test_what_a_dead_worker_owed_is_sent_from_the_log() -> None:
    world = World(*RECORDS)
    world.outbox.places = {PLACE}
    assert await world.over_full.send_owed({(TOPIC, 3): 2}) == 1
    ((value, told),) = world.sender.sent
    assert (value, told["reason"], told["offset"]) == (RECORDS[1].value, "over", "1")
    assert told["log_ms"] == str(NOON_MS)
    assert world.outbox.places == set()
    assert world.gone == 0


async def test_a_replayed_letter_that_was_owed_keeps_its_first_place() -> None:
    world = World()
    body = RECORDS[1].value or b""
    headers = signed_headers(world.key, Origin(TOPIC, 0, 77, NOON_MS - 5), b"key", body, ())
    told = [(name, held) for name, held in headers if held is not None]
    world.log.records = [record(body, 1, partition=3, headers=told)]
    world.outbox.places = {PLACE}
    assert await world.over_full.send_owed({(TOPIC, 3): 2}) == 1
    ((_, letter),) = world.sender.sent
    assert (letter["origin"], letter["origin_log_ms"]) == (f"{TOPIC}:0:77", str(NOON_MS - 5))


@pytest.mark.parametrize("handled", [{(TOPIC, 3): 1}, {(TOPIC, 2): 9}])
async def test_what_is_in_work_or_anothers_is_left_alone(
    handled: dict[tuple[str, int], int],
) -> None:
    world = World(*RECORDS)
    world.outbox.places = {PLACE}
    assert await world.over_full.send_owed(handled) == 0
    assert world.outbox.places == {PLACE}


@pytest.mark.parametrize("records", [(), RECORDS[2:]], ids=["cut off", "begins later"])
async def test_a_record_that_retention_took_is_told_by_its_place(records: Sequence[Record]) -> None:
    world = World(*records)
    world.outbox.places = {PLACE}
    assert await world.over_full.send_owed({(TOPIC, 3): 3}) == 1
    ((value, told),) = world.sender.sent
    assert (value, told["gone"], told["offset"], told["log_ms"]) == (b"", "true", "1", "-1")
    assert (world.gone, world.outbox.places) == (1, set())


async def test_a_silent_broker_is_asked_again_later() -> None:
    world = World(*RECORDS)
    world.outbox.places = {PLACE}
    world.log.silent = True
    assert await world.over_full.send_owed({(TOPIC, 3): 3}) == 0
    assert world.outbox.places == {PLACE}
    world.log.silent = False
    assert await world.over_full.send_owed({(TOPIC, 3): 3}) == 1
