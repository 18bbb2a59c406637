"""A topic full of events as a shop sends them, for benchmarks; the same for the same seed."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from aiokafka import AIOKafkaProducer

from millstream.domain.events import Event, EventType, Line
from millstream.domain.identity import record_key
from millstream.settings import ConnectionSettings
from millstream.streaming.producer import BATCH_BYTES, producer_for
from millstream.streaming.topics import EVENTS

# Most of a shop's traffic is looking: the shares of RetailRocket, rounded.
MIX = {EventType.VIEW_ITEM: 0.90, EventType.ADD_TO_CART: 0.07, EventType.PURCHASE: 0.03}
ZIPF = 1.3
IN_FLIGHT = 2_000
TRANSACTION_MS = 300_000

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Load:
    """`shoppers` come equally often; `items` by Zipf's law, one to an event."""

    events: int
    shoppers: int
    items: int
    seed: int


def made_events(load: Load, start_ms: int) -> Iterator[tuple[int, Event]]:
    """(time in ms, event), a millisecond apart from `start_ms` on; some 220 bytes as JSON."""
    rng = np.random.default_rng(load.seed)
    shoppers = rng.integers(load.shoppers, size=load.events)
    items = (rng.zipf(ZIPF, size=load.events) - 1) % load.items
    kinds = rng.choice(len(MIX), size=load.events, p=list(MIX.values()))
    ids = rng.bytes(16 * load.events)
    types = list(MIX)
    for n in range(load.events):
        at_ms = start_ms + n
        yield (
            at_ms,
            Event(
                event_id=str(uuid.UUID(bytes=ids[16 * n : 16 * n + 16], version=4)),
                type=types[kinds[n]],
                time=datetime.fromtimestamp(at_ms / 1000, UTC),
                user_id=f"shopper-{shoppers[n]:06d}",
                items=(Line(f"sku-{items[n]:06d}", price=19.95),),
                currency="EUR",
                session_id=f"session-{shoppers[n]:06d}",
            ),
        )


async def fill(
    settings: ConnectionSettings, load: Load, start_ms: int, sent: Callable[[int], None]
) -> dict[int, int]:
    """Sends the events of `load` to the deployment's topic with their own times; returns each
    partition's end offset. `sent` is told how many are durable."""
    async with open_for(producer_for(settings, "millstream-bench")) as producer:
        return await send(producer, settings, made_events(load, start_ms), sent)


async def send_at_once(
    settings: ConnectionSettings,
    events: Iterable[tuple[int, Event]],
    sent: Callable[[int], None],
    committing: Callable[[], None] = lambda: None,
) -> dict[int, int]:
    """As `fill`, in one transaction: workers that read committed records get all of them at one
    moment, so that workers already at rest meet a backlog. `committing` is called before it."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        transactional_id=f"bench-{uuid.uuid4()}",
        transaction_timeout_ms=TRANSACTION_MS,
        compression_type="lz4",
        max_batch_size=BATCH_BYTES,
    )
    async with open_for(producer), producer.transaction():
        ends = await send(producer, settings, events, sent)
        committing()
    return ends


@asynccontextmanager
async def open_for(producer: AIOKafkaProducer) -> AsyncIterator[AIOKafkaProducer]:
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(
    producer: AIOKafkaProducer,
    settings: ConnectionSettings,
    events: Iterable[tuple[int, Event]],
    sent: Callable[[int], None],
) -> dict[int, int]:
    """Returns when all are durable."""
    ends: Counter[int] = Counter()
    waiting: list[asyncio.Future[Any]] = []
    durable = 0
    for at_ms, event in events:
        future = await producer.send(
            settings.topic(EVENTS),
            _encode(event),
            record_key(event.tenant, event.shopper),
            timestamp_ms=at_ms,
        )
        waiting.append(future)
        if len(waiting) == IN_FLIGHT:
            durable += await _settle(waiting, ends)
            sent(durable)
    sent(durable + await _settle(waiting, ends))
    return dict(ends)


async def _settle(waiting: list[asyncio.Future[Any]], ends: Counter[int]) -> int:
    done = await asyncio.gather(*waiting)
    waiting.clear()
    for place in done:
        ends[place.partition] = max(ends[place.partition], place.offset + 1)
    return len(done)
