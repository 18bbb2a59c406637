"""Sends the traffic at a steady rate, whatever breaks, and remembers what was acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from millstream.local.chaos.traffic import Shipment, Traffic

TICK_S = 0.4
"""Shops send in bursts: what arrives together is counted, and answered, together."""
MOST_WAITING = 4_000
MOST_BEHIND = 10_000
"""Records acknowledged and not counted; past it the shop waits, so that what is measured is the
recovery and not the backlog of a machine that is too small."""
REQUEST_S = 30
END_S = 60.0


class Load:
    """`acknowledged`: by kind; `ends`: per partition the offset after the last one acknowledged;
    `ids`: of all events whose record is durable by the broker's word."""

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        traffic: Traffic,
        rate: float,
        log_time: Callable[[], int] | None = None,
    ) -> None:
        self._servers = bootstrap_servers
        self.topic = topic
        self.traffic = traffic
        self._rate = rate
        self._log_time = log_time
        self.counted: Callable[[], int] | None = None
        """How many records of the topic are; None: no one waits for it."""
        self._producer: AIOKafkaProducer | None = None
        self._waiting: set[asyncio.Task[None]] = set()
        self._running = True
        self.acknowledged: Counter[str] = Counter()
        self.unknown = 0
        self.ends: Counter[int] = Counter()
        self.ids: set[str] = set()

    async def run(self) -> None:
        """Until `finish`."""
        shipments = iter(self.traffic)
        began, sent = time.monotonic(), 0
        while self._running:
            due = int((time.monotonic() - began) * self._rate) - sent
            if self._must_wait():  # no debt is run up
                due = 0
                began, sent = time.monotonic(), 0
            for _ in range(due):
                await self.send(next(shipments))
            sent += due
            await asyncio.sleep(TICK_S)

    def _must_wait(self) -> bool:
        if len(self._waiting) >= MOST_WAITING:  # the broker is away
            return True
        return self.counted is not None and self.ends.total() - self.counted() > MOST_BEHIND

    async def send(self, shipment: Shipment) -> None:
        """Queues it; what becomes of it is noted when it is known."""
        at = self._log_time() if self._log_time is not None else None
        try:
            producer = await self._open()
            future = await producer.send(
                self.topic,
                shipment.value,
                shipment.key,
                partition=shipment.partition,
                timestamp_ms=at,
            )
        except (KafkaError, OSError):
            self.unknown += 1
            await self._renew()
            return
        task = asyncio.create_task(self._note(shipment, future))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def learn(self, partitions: int) -> None:
        """Returns when the producer knows of so many partitions. Raises TimeoutError."""
        producer = await self._open()
        async with asyncio.timeout(REQUEST_S):
            while len(await producer.partitions_for(self.topic)) < partitions:
                await producer.client.force_metadata_update()
                await asyncio.sleep(TICK_S)

    async def finish(self) -> None:
        """Returns when the fate of everything sent is known."""
        self._running = False
        if self._waiting:
            await asyncio.wait(self._waiting, timeout=END_S)
        await self._close()

    async def _note(self, shipment: Shipment, future: asyncio.Future[Any]) -> None:
        try:
            place = await future
        except (KafkaError, OSError):
            self.unknown += 1
            return
        self.acknowledged[shipment.kind] += 1
        self.ends[place.partition] = max(self.ends[place.partition], place.offset + 1)
        if shipment.event_id:
            self.ids.add(shipment.event_id)

    async def _open(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._servers,
                client_id="chaos-shop",
                acks="all",
                enable_idempotence=True,
                linger_ms=5,
                max_batch_size=64 * 1024,
                request_timeout_ms=REQUEST_S * 1000,
            )
            await producer.start()
            self._producer = producer
        return self._producer

    async def _renew(self) -> None:
        """An idempotent producer that lost its place refuses everything from then on."""
        await self._close()
        await asyncio.sleep(0.5)

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(END_S):
                    await producer.stop()
