"""Records to Kafka, told of as accepted only once every in-sync replica has them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from aiokafka.errors import KafkaError

from millstream.domain.clock import Clock
from millstream.domain.log import SENT_AT
from millstream.gateway import telemetry
from millstream.gateway.problems import away
from millstream.gateway.turns import PIECE

MAX_UNDER_WAY = 50_000
"""Records in memory that Kafka has not acknowledged; past it a request is to come again."""


class Producer(Protocol):
    """aiokafka's: `send` returns when the record is queued, with a future that is done when it is
    durable."""

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        timestamp_ms: int | None = None,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> asyncio.Future[object]: ...


Keyed = tuple[bytes, bytes | None]
"""Key and value; None takes back what the topic holds under the key."""


class Delivery:
    """`shop_clock`: whose time the records bear, where it is not the wall's."""

    def __init__(
        self,
        producer: Producer,
        clock: Clock,
        ack_seconds: float,
        shop_clock: Clock | None = None,
    ) -> None:
        self._producer = producer
        self._clock = clock
        self._shop_clock = shop_clock or clock
        self._ack_s = ack_seconds
        self._under_way: set[asyncio.Future[object]] = set()

    async def deliver(
        self,
        topic: str,
        records: Sequence[Keyed],
        headers: Sequence[tuple[str, bytes]] = (),
        *,
        clock: Clock | None = None,
    ) -> None:
        """Returns when all are durable, those of one key in the order given. Raises Refusal (503)
        where that has not come about within `ack_seconds`: some may be durable all the same, and
        an event that is sent again with its id counts once. `clock`: whose time these bear, where
        it is not the shop's."""
        if len(self._under_way) + len(records) > MAX_UNDER_WAY:
            raise away("more events wait for Kafka than are held")
        sent: list[asyncio.Future[object]] = []
        stamp = clock or self._shop_clock
        try:
            async with asyncio.timeout(self._ack_s):
                for key, value in records:
                    if sent and len(sent) % PIECE == 0:
                        await asyncio.sleep(0)  # else nobody has a turn until all are queued
                    sent.append(await self._send(topic, (key, value), headers, stamp()))
                # Not gathered: what is cancelled here would be cancelled in the producer's batch.
                await asyncio.wait(sent)
        except TimeoutError:
            self._note(sent)
            raise away(f"Kafka has not acknowledged within {self._ack_s:g} s") from None
        except (KafkaError, OSError, RuntimeError) as error:
            self._note(sent)
            raise away(f"Kafka takes nothing ({type(error).__name__})") from None
        self._note(sent)
        failed = [one for future in sent if (one := future.exception()) is not None]
        if failed:
            raise away(f"Kafka did not acknowledge ({type(failed[0]).__name__})")

    async def _send(
        self, topic: str, record: Keyed, headers: Sequence[tuple[str, bytes]], log_ms: int
    ) -> asyncio.Future[object]:
        key, value = record
        ours = (SENT_AT, b"%d" % self._clock())
        future = await self._producer.send(
            topic, value, key, timestamp_ms=log_ms, headers=[ours, *headers]
        )
        self._under_way.add(future)
        future.add_done_callback(self._leave)
        telemetry.UNDER_WAY.set(len(self._under_way))
        return future

    def _leave(self, future: asyncio.Future[object]) -> None:
        self._under_way.discard(future)
        telemetry.UNDER_WAY.set(len(self._under_way))
        if not future.cancelled():
            future.exception()  # seen: one that failed after its 503 leaves no warning behind

    def _note(self, sent: Sequence[asyncio.Future[object]]) -> None:
        acknowledged = sum(
            future.done() and not future.cancelled() and future.exception() is None
            for future in sent
        )
        telemetry.DELIVERIES.labels("acknowledged").inc(acknowledged)
        telemetry.DELIVERIES.labels("not acknowledged").inc(len(sent) - acknowledged)
