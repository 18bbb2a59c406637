"""`millstream bench one-machine`: what a trainer takes of one machine as its data grow.

Made-up months of traffic (made_traffic.py) stand in a lake, each larger than the one before; for
each network the process `millstream trainer`, with its defaults but for its niceness, makes the
first version of it: reading, two fits, the gate. `cpu_seconds` and `peak_mib` are of that process
from its start until the version stands in the store. `read`: the lake alone, read by the same
function in a process of its own; it is part of the other rows, too.

What the model is worth is no question here: nobody has a taste in this traffic."""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.machine import machine
from benchmarks.made_traffic import (
    CHUNK,
    DAY_MS,
    DAYS,
    EVENTS_PER_SHOPPER,
    SEED,
    Size,
    chunks,
    make,
)
from benchmarks.processes import cpu_seconds, peak_bytes, until
from rich.console import Console

from millstream.domain.clock import wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.log import LogRecord
from millstream.domain.models import Network
from millstream.local import brokers
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, deployed
from millstream.model.registry import Registry
from millstream.settings import ConnectionSettings
from millstream.stores.lake import LakeWriter, Range, merge_small, read_accepted
from millstream.streaming.decode import Decoded
from millstream.streaming.topics import EVENTS
from millstream.trainer.collect import COLUMNS

TENANT, MODEL = "default", "embedding"
READ = "read"
DEADLINE_S = 7_200.0
MIB = 1024 * 1024
_CHUNKS_A_FILE = 40
"""The lake writes after 20,000 records over all partitions."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Spending:
    cpu_seconds: float
    peak_mib: float

    def told(self, name: str, size: Size) -> dict[str, Any]:
        events = size.users * EVENTS_PER_SHOPPER
        return {
            "name": name,
            "events": events,
            "shoppers": size.users,
            "items": size.items,
            "cpu_seconds": round(self.cpu_seconds, 1),
            "peak_mib": round(self.peak_mib, 1),
            "cpu_us_per_event": round(self.cpu_seconds / events * 1e6, 1),
        }


async def bench(
    kafka: KafkaEndpoint,
    redis: RedisEndpoint,
    sizes: Sequence[Size],
    at_once: int,
    console: Console,
) -> dict[str, Any]:
    """Raises OperatorError where a trainer ends by itself or takes longer than DEADLINE_S."""
    facts, places = machine(), asyncio.Semaphore(at_once)

    async def rows_of(size: Size) -> list[dict[str, Any]]:
        async with deployed(kafka, redis) as deployment:
            return await _rows(deployment, size, places, console)

    rows = await asyncio.gather(*(rows_of(size) for size in sizes))
    return {"rows": [row for some in rows for row in some], "seed": SEED, **facts}


async def _rows(
    deployment: Deployment, size: Size, places: asyncio.Semaphore, console: Console
) -> list[dict[str, Any]]:
    """No more than there are `places` at once, over all sizes."""

    async def trained(network: Network) -> dict[str, Any]:
        async with places:
            row = (await _trained(deployment, network)).told(str(network), size)
        console.print(f"{network}, {row['events']:,} events: {row['cpu_seconds']} CPU seconds")
        return row

    async with places:
        await asyncio.to_thread(fill, deployment.settings, size)
        read = await asyncio.to_thread(_read, deployment.settings, size)
    return [read, *await asyncio.gather(*(trained(network) for network in Network))]


def fill(settings: ConnectionSettings, size: Size) -> None:
    """The lake as its service leaves it."""
    topic = settings.topic(EVENTS)
    with LakeWriter(settings.lake_dir) as lake:
        made = chunks(make(size, wall_clock() - DAYS * DAY_MS))
        while some := list(islice(made, _CHUNKS_A_FILE)):
            for partition, records in _by_partition(topic, some):
                span = Range(records[0].offset, records[-1].offset + 1)
                lake.write(topic, partition, span, records)
                merge_small(lake, topic, partition)


def _by_partition(
    topic: str, made: Sequence[list[Decoded]]
) -> Iterator[tuple[int, list[LogRecord]]]:
    found: defaultdict[int, list[LogRecord]] = defaultdict(list)
    for part in (part for parts in made for part in parts):
        for arrival in part.arrivals:
            where = (topic, part.partition, arrival.offset, arrival.log_ms)
            found[part.partition].append(LogRecord(*where, b"k", _encode(arrival.event)))
    yield from found.items()


def _read(settings: ConnectionSettings, size: Size) -> dict[str, Any]:
    alone = ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))
    with alone as pool:
        took = pool.submit(read_alone, settings.lake_dir, settings.topic(EVENTS)).result()
    return took.told(READ, size)


def read_alone(root: Path, topic: str) -> Spending:
    """In a process of its own, whose peak it tells."""
    began = time.process_time()
    read_accepted(root, topic, TENANT, columns=COLUMNS)
    # Not getrusage's peak, which begins at that of the process that started this one.
    return Spending(time.process_time() - began, peak_bytes(os.getpid()) / MIB)


async def _trained(deployment: Deployment, network: Network) -> Spending:
    model = f"{MODEL}-{network}"
    process = await deployment.start(
        "trainer",
        model_name=model,
        networks=f'["{network}"]',
        first_after_lines=1,
        niceness=0,
    )
    registry = Registry(deployment.settings.model_store)

    async def is_made() -> bool:
        # Not deployment.raise_dead(): the other network's trainer may be on its way to stop.
        if not process.alive:
            raise OperatorError(process.name, process.log_tail(), "one that goes on")
        return bool(registry.versions(TENANT, model))

    await until(is_made, "a version", DEADLINE_S)
    took = Spending(cpu_seconds(process.pid), peak_bytes(process.pid) / MIB)
    await asyncio.to_thread(process.stop)
    return took


def main(events: Sequence[int], items: int, at_once: int, console: Console) -> dict[str, Any]:
    """On the embedded broker, which has little to do, unless the environment names a cluster."""
    sizes = [Size(max(CHUNK, count // EVENTS_PER_SHOPPER), items) for count in events]
    with brokers.kafka() as kafka, brokers.redis() as redis:
        return asyncio.run(bench(kafka, redis, sizes, at_once, console))
