"""A tenant that floods: what `bench tenants` runs beside a recommender.

Its argument names a file with a Flood as JSON. Views come at that rate, straight to Kafka, from the
first line on standard output until standard input ends; the last line tells how many are durable.
Each event is by another shopper, in turn."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from aiokafka import AIOKafkaProducer

from millstream.domain.clock import as_datetime
from millstream.domain.events import Event, EventType, Line
from millstream.domain.identity import record_key
from millstream.streaming.producer import BATCH_BYTES

STEP_S = 0.02


class Flood(msgspec.Struct, frozen=True):
    servers: str
    topic: str
    tenant: str
    items: tuple[str, ...]
    shoppers: int
    rate: float


async def pour(flood: Flood, is_over: threading.Event) -> int:
    """Returns how many events were acknowledged."""
    encode, rng = msgspec.json.Encoder().encode, np.random.default_rng(1)
    producer = AIOKafkaProducer(bootstrap_servers=flood.servers, max_batch_size=BATCH_BYTES)
    acknowledged: list[asyncio.Future[Any]] = []
    await producer.start()
    sys.stdout.write("flooding\n")
    sys.stdout.flush()
    began, n = time.monotonic(), 0
    try:
        while not is_over.is_set():
            due = int((time.monotonic() - began) * flood.rate)
            for item in rng.choice(flood.items, max(0, due - n)):
                event = _view(flood, n, str(item))
                key = record_key(flood.tenant, event.shopper)
                acknowledged.append(await producer.send(flood.topic, encode(event), key))
                n += 1
            await asyncio.sleep(STEP_S)
    finally:
        await producer.stop()
    return len(await asyncio.gather(*acknowledged))


def _view(flood: Flood, n: int, item: str) -> Event:
    return Event(
        event_id=f"flood-{n}",
        type=EventType.VIEW_ITEM,
        time=as_datetime(int(time.time() * 1000)),
        tenant=flood.tenant,
        user_id=f"shopper-{n % flood.shoppers}",
        items=(Line(item, price=19.95),),
    )


def main() -> None:
    flood = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Flood)
    is_over = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        is_over.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    durable = asyncio.run(pour(flood, is_over))
    sys.stdout.write(f"{durable}\n")


if __name__ == "__main__":
    main()
