"""The records a storefront writes, and their way to the broker.

Each carries the key tenant:shopper (or tenant:item), the event's own time as Kafka timestamp
(CreateTime, ms) and a header `sent_at` (wall clock, ms, ascii), against which latency is
measured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import msgspec

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import Clock
from millstream.domain.events import Event
from millstream.domain.identity import record_key
from millstream.domain.log import SENT_AT


class SentRecord(Protocol):
    """What the broker says of a record it has taken."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...


class Producer(Protocol):
    """aiokafka's producer, as far as it is used here."""

    async def send(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        *,
        timestamp_ms: int,
        headers: Sequence[tuple[str, bytes]],
    ) -> asyncio.Future[SentRecord]: ...


@dataclass(frozen=True, slots=True)
class Topics:
    """Full names, any prefix included."""

    events: str
    catalogue: str


Acknowledged = Callable[[Event, SentRecord, int], None]
"""(event, its place, its sent_at in ms), called in the event loop."""


class Storefront:
    """Sends without waiting for the broker; a record it did not take is kept as `failure`."""

    def __init__(self, producer: Producer, topics: Topics, clock: Clock) -> None:
        self.failure: BaseException | None = None
        self._producer = producer
        self._topics = topics
        self._clock = clock

    async def offer(self, item: CatalogueItem) -> None:
        time_ms = int(item.added_at.timestamp() * 1000)
        key = record_key(item.tenant, item.item_id)
        await self._produce(self._topics.catalogue, item, key, time_ms, self._clock())

    async def tell(self, event: Event, acknowledged: Acknowledged) -> None:
        sent_ms = self._clock()
        key = record_key(event.tenant, event.shopper)
        future = await self._produce(self._topics.events, event, key, event.time_ms, sent_ms)
        future.add_done_callback(partial(_acknowledge, event, sent_ms, acknowledged))

    async def _produce(
        self, topic: str, message: CatalogueItem | Event, key: bytes, time_ms: int, sent_ms: int
    ) -> asyncio.Future[SentRecord]:
        future = await self._producer.send(
            topic,
            msgspec.json.encode(message),
            key,
            timestamp_ms=time_ms,
            headers=[(SENT_AT, str(sent_ms).encode())],
        )
        future.add_done_callback(self._note_failure)
        return future

    def _note_failure(self, future: asyncio.Future[SentRecord]) -> None:
        if not future.cancelled() and future.exception() is not None:
            self.failure = self.failure or future.exception()


def _acknowledge(
    event: Event, sent_ms: int, acknowledged: Acknowledged, future: asyncio.Future[SentRecord]
) -> None:
    if not future.cancelled() and future.exception() is None:
        acknowledged(event, future.result(), sent_ms)
