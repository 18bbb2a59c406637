"""Order, room and failures of what is on its way, against a producer that a test steps by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from tests.builders import event

from millstream.client.outbox import (
    DeliveryFailed,
    DryRun,
    Outbox,
    OutboxFull,
    Outgoing,
    Position,
)
from millstream.client.to_kafka import ToKafka


@dataclass
class At:
    partition: int
    offset: int


@dataclass
class SteppedProducer:
    sent: list[tuple[bytes, asyncio.Future[Position]]] = field(default_factory=list)
    refuses: Exception | None = None

    async def send(
        self,
        topic: str,  # noqa: ARG002
        value: bytes,
        key: bytes,  # noqa: ARG002
        *,
        timestamp_ms: int,  # noqa: ARG002
        headers: list[tuple[str, bytes]],  # noqa: ARG002
    ) -> asyncio.Future[Position]:
        if self.refuses is not None:
            raise self.refuses
        future: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        self.sent.append((value, future))
        return future

    def acknowledge(self) -> None:
        for offset, (_, future) in enumerate(self.sent):
            if not future.done():
                future.set_result(At(0, offset))


CAPACITY = 3


@pytest.fixture
def producer() -> SteppedProducer:
    return SteppedProducer()


@pytest.fixture
async def outbox(producer: SteppedProducer) -> AsyncIterator[Outbox]:
    box = Outbox(ToKafka(producer, "shop.events.v1"), CAPACITY)
    yield box
    producer.acknowledge()
    await box.close(1.0)


def outgoing(value: bytes) -> Outgoing:
    return Outgoing(event(value.decode()), b"k", value, 1, ())


async def turn() -> None:
    """Lets every task that can run do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_delivered_means_acknowledged(producer: SteppedProducer, outbox: Outbox) -> None:
    task = asyncio.create_task(outbox.deliver(outgoing(b"a")))
    await turn()
    assert not task.done()
    producer.acknowledge()
    position = await task
    assert position is not None
    assert (position.partition, position.offset) == (0, 0)


async def test_order_is_kept_between_both_ways(producer: SteppedProducer, outbox: Outbox) -> None:
    outbox.post(outgoing(b"1"))
    waiting = asyncio.create_task(outbox.deliver(outgoing(b"2")))
    await turn()
    outbox.post(outgoing(b"3"))
    await turn()
    assert [value for value, _ in producer.sent] == [b"1", b"2", b"3"]
    producer.acknowledge()
    await waiting


async def test_a_full_outbox_refuses_a_post_and_holds_a_delivery(
    producer: SteppedProducer, outbox: Outbox
) -> None:
    for _ in range(CAPACITY):
        outbox.post(outgoing(b"x"))
    with pytest.raises(OutboxFull, match=str(CAPACITY)):
        outbox.post(outgoing(b"over"))
    waiting = asyncio.create_task(outbox.deliver(outgoing(b"later")))
    await turn()
    assert len(producer.sent) == CAPACITY
    producer.acknowledge()
    await turn()
    assert [value for value, _ in producer.sent][CAPACITY:] == [b"later"]
    producer.acknowledge()
    await waiting


async def test_flush_waits_and_tells_of_failures_once(
    producer: SteppedProducer, outbox: Outbox
) -> None:
    outbox.post(outgoing(b"a"))
    outbox.post(outgoing(b"b"))
    flushing = asyncio.create_task(outbox.flush())
    await turn()
    assert not flushing.done()
    producer.sent[0][1].set_exception(ConnectionError("away"))
    producer.acknowledge()
    with pytest.raises(DeliveryFailed, match=r"1 events were not acknowledged.*away") as told:
        await flushing
    assert [one.event_id for one in told.value.events] == ["a"]
    await outbox.flush()


@pytest.mark.parametrize("early", [True, False])
async def test_a_failed_delivery_is_its_callers_and_not_the_next_flushs(
    producer: SteppedProducer, outbox: Outbox, early: bool
) -> None:
    producer.refuses = ConnectionError("away") if early else None
    task = asyncio.create_task(outbox.deliver(outgoing(b"a")))
    await turn()
    if not early:
        producer.sent[0][1].set_exception(ConnectionError("away"))
    with pytest.raises(DeliveryFailed, match="away"):
        await task
    producer.refuses = None
    await outbox.flush()


async def test_a_caller_that_gives_up_takes_nothing_back(
    producer: SteppedProducer, outbox: Outbox
) -> None:
    task = asyncio.create_task(outbox.deliver(outgoing(b"a")))
    await turn()
    task.cancel()
    await turn()
    assert [value for value, _ in producer.sent] == [b"a"]
    producer.acknowledge()
    await outbox.flush()


async def test_when_the_producer_breaks_down_nobody_waits_forever(
    producer: SteppedProducer,
) -> None:
    outbox = Outbox(ToKafka(producer, "shop.events.v1"), CAPACITY)
    producer.refuses = TypeError("not foreseen")
    with pytest.raises(DeliveryFailed, match="not foreseen"):
        await outbox.deliver(outgoing(b"a"))
    with pytest.raises(DeliveryFailed, match="broken down"):
        await outbox.deliver(outgoing(b"b"))
    await outbox.close(1.0)


async def test_what_is_under_way_for_too_long_at_the_end_is_told_of(
    producer: SteppedProducer,
) -> None:
    outbox = Outbox(ToKafka(producer, "shop.events.v1"), CAPACITY)
    for value in (b"a", b"b", b"c"):
        outbox.post(outgoing(value))
    await turn()
    producer.sent[1][1].set_result(At(0, 0))
    with pytest.raises(DeliveryFailed, match=r"2 events.*the client was closed") as told:
        await outbox.close(0.0)
    assert sorted(one.event_id for one in told.value.events) == ["a", "c"]


async def test_a_dry_run_acknowledges_what_it_does_not_send() -> None:
    outbox = Outbox(DryRun(), CAPACITY)
    assert await outbox.deliver(outgoing(b"a")) is None
    outbox.post(outgoing(b"b"))
    await outbox.close(1.0)
