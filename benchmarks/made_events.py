"""A topic full of events as a shop sends them, for benchmarks; the same for the same seed."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from millstream.domain.events import Event, EventType, Line
from millstream.domain.identity import record_key
from millstream.settings import ConnectionSettings
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import EVENTS

# Most of a shop's traffic is looking: the shares of RetailRocket, rounded.
MIX = {EventType.VIEW_ITEM: 0.90, EventType.ADD_TO_CART: 0.07, EventType.PURCHASE: 0.03}
ZIPF = 1.3
IN_FLIGHT = 2_000

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
    producer = producer_for(settings, "millstream-bench")
    await producer.start()
    ends: Counter[int] = Counter()
    waiting: list[asyncio.Future[Any]] = []
    durable = 0
    try:
        for at_ms, event in made_events(load, start_ms):
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
    finally:
        await producer.stop()
    return dict(ends)


async def _settle(waiting: list[asyncio.Future[Any]], ends: Counter[int]) -> int:
    done = await asyncio.gather(*waiting)
    waiting.clear()
    for place in done:
        ends[place.partition] = max(ends[place.partition], place.offset + 1)
    return len(done)
