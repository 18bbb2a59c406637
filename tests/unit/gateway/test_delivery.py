"""Accepted is told only of what Kafka has."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaTimeoutError

from millstream.gateway import delivery
from millstream.gateway.delivery import Delivery, Keyed
from millstream.gateway.problems import Refusal

NOON_MS = 1_790_000_000_000
TWO: list[Keyed] = [(b"k1", b"v1"), (b"k2", None)]


class Producer:
    """Keeps what it is given; the test says when it is durable."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None]] = []
        self.futures: list[asyncio.Future[object]] = []
        self.refuses: Exception | None = None

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        timestamp_ms: int | None = None,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> asyncio.Future[object]:
        if self.refuses is not None:
            raise self.refuses
        assert timestamp_ms == NOON_MS
        assert headers == [("sent_at", str(NOON_MS).encode())]
        self.sent.append((topic, key, value))
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]


def made(ack_s: float = 5.0) -> tuple[Delivery, Producer]:
    producer = Producer()
    return Delivery(producer, lambda: NOON_MS, ack_s), producer


async def until_sent(producer: Producer, n: int) -> None:
    for _ in range(100):  # turns of the loop
        if len(producer.futures) >= n:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{len(producer.futures)} records were sent, not {n}")


async def test_it_returns_when_all_are_durable_and_not_before() -> None:
    sender, producer = made()
    task = asyncio.ensure_future(sender.deliver("t", TWO))
    await until_sent(producer, 2)
    producer.futures[0].set_result(None)
    await asyncio.sleep(0)
    assert not task.done()
    producer.futures[1].set_result(None)
    await task
    assert producer.sent == [("t", b"k1", b"v1"), ("t", b"k2", None)]


async def test_one_that_fails_is_told_as_503_for_all() -> None:
    sender, producer = made()
    task = asyncio.ensure_future(sender.deliver("t", TWO))
    await until_sent(producer, 2)
    producer.futures[0].set_result(None)
    producer.futures[1].set_exception(KafkaTimeoutError())
    with pytest.raises(Refusal) as refused:
        await task
    assert (refused.value.status, refused.value.retry_after_s) == (503, 2)


async def test_what_takes_too_long_goes_on_in_the_producer() -> None:
    sender, producer = made(ack_s=0.02)
    with pytest.raises(Refusal) as refused:
        await sender.deliver("t", TWO)
    assert refused.value.status == 503
    assert not any(future.cancelled() for future in producer.futures)
    producer.futures[0].set_exception(KafkaTimeoutError())  # leaves no warning behind
    producer.futures[1].set_result(None)


async def test_a_producer_that_takes_nothing_is_told_as_503() -> None:
    sender, producer = made()
    producer.refuses = KafkaTimeoutError()
    with pytest.raises(Refusal) as refused:
        await sender.deliver("t", TWO)
    assert refused.value.status == 503


async def test_no_more_wait_for_kafka_than_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MAX_UNDER_WAY", 3)
    sender, producer = made()
    first = asyncio.ensure_future(sender.deliver("t", TWO))
    await until_sent(producer, 2)
    with pytest.raises(Refusal) as refused:
        await sender.deliver("t", TWO)
    assert refused.value.status == 503
    for future in producer.futures:
        future.set_result(None)
    await first
    second = asyncio.ensure_future(sender.deliver("t", TWO))
    await until_sent(producer, 4)
    second.cancel()
