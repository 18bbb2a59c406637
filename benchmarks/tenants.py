"""`millstream bench tenants`: how long a tenant waits for its lists beside another that floods.

Two tenants with the same catalogue and model, one recommender. A backlog of the quiet one tells how
many lists a second the recommender makes (`backlog_lists_per_s`); an even part of that among
`tenants` is what a tenant may fairly ask for. Then the quiet one's events come in open loop
(open_loop.py) at its fair rate, alone, and once more while the other one sends `times` its fair
rate straight to Kafka, from a process of its own on the same CPUs (flood.py). `exact`: once the
flood is over every event of both is counted."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.backlog import Recommending, counted, recommending
from benchmarks.flood import Flood
from benchmarks.latency import maker, open_target
from benchmarks.machine import machine
from benchmarks.made_shop import Shop, make_shop, open_shop
from benchmarks.open_loop import Measured, measure
from rich.console import Console

from millstream.domain.errors import OperatorError
from millstream.local import brokers
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, deployed
from millstream.settings import ConnectionSettings
from millstream.stores.feature_store import FeatureStore
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, connect
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS

ROOT = Path(__file__).parents[1]
NOISY = "noisy"
SEED = 1


@dataclass(frozen=True)
class Size:
    """`fair_after_ms`: as the setting; 0: without fairness between tenants."""

    items: int
    shoppers: int
    seconds: float
    tenants: int
    times: float
    fair_after_ms: int
    index_from: int


@dataclass
class Poured:
    """`events`: once it is over."""

    events: int = 0


async def bench(
    kafka: KafkaEndpoint, redis: RedisEndpoint, size: Size, console: Console
) -> dict[str, Any]:
    """Raises OperatorError where the recommender ends or a shopper of the backlog gets no list."""
    facts = machine()
    console.print(f"{size.items:,} items and {size.shoppers:,} shoppers: making them …")
    quiet = make_shop(size.items, size.shoppers, 4, SEED, size.index_from)
    noisy = replace(quiet, tenant=NOISY)
    gc.collect()
    gc.freeze()
    async with deployed(kafka, redis) as deployment:
        for shop in (quiet, noisy):
            await open_shop(shop, deployment.settings)
        async with recommending(
            deployment, quiet, [0, 1], fair_after_ms=size.fair_after_ms
        ) as running:
            backlog = (await running.drain(2)).lists_per_s
            fair = backlog / size.tenants
            console.print(f"{backlog:,.0f} lists a second; {fair:,.0f} events a second, alone …")
            alone, _ = await _quiet(running, fair, size.seconds)
            console.print(f"{alone.p99_ms:,.0f} ms; beside {size.times * fair:,.0f} a second …")
            before = await _accepted(deployment.settings)
            async with pouring(_told(noisy, deployment, size.times * fair)) as poured:
                beside, sent = await _quiet(running, fair, size.seconds)
            console.print(f"{beside.p99_ms:,.0f} ms; the flood had {poured.events:,} events")
            wanted = before + sent + poured.events
            await counted(deployment, wanted)
            is_exact = await _accepted(deployment.settings) == wanted
    return {
        "broker": kafka.name,
        "quiet_p50_ms": alone.p50_ms,
        "quiet_p99_ms": alone.p99_ms,
        "beside_noisy_p50_ms": beside.p50_ms,
        "beside_noisy_p99_ms": beside.p99_ms,
        "ratio": round(beside.p99_ms / alone.p99_ms, 3),
        "quiet_unanswered": alone.unanswered + beside.unanswered,
        "quiet_events_per_s": beside.rate,
        "noisy_events_per_s": round(size.times * fair, 1),
        "noisy_events": poured.events,
        "backlog_lists_per_s": round(backlog, 1),
        "exact": is_exact,
        **asdict(size),
        "redis": redis.name,
        **facts,
    }


async def _quiet(running: Recommending, rate: float, seconds: float) -> tuple[Measured, int]:
    """And how many events were sent, those of the warm-up among them."""
    settings, make, numbers = running.deployment.settings, maker(running.shop), list[int]()

    def numbered(number: int, scheduled_ms: int) -> tuple[bytes, bytes]:
        numbers.append(number)
        return make(number, scheduled_ms)

    async with open_target(settings, EVENTS, RECOMMENDATIONS) as target:
        measured = await measure(numbered, target, rate, seconds, SEED)
    return measured, len(numbers)


def _told(noisy: Shop, deployment: Deployment, rate: float) -> Path:
    """What the flood is to do, in a file."""
    settings, file = deployment.settings, deployment.home / "flood.json"
    items = tuple(noisy.parts.items.ids)
    servers, topic = settings.kafka_bootstrap_servers, settings.topic(EVENTS)
    flood = Flood(servers, topic, noisy.tenant, items, noisy.shoppers, rate)
    file.write_bytes(msgspec.json.encode(flood))
    return file


@asynccontextmanager
async def pouring(file: Path) -> AsyncIterator[Poured]:
    """It floods inside, as `file` says. Raises OperatorError where it ends by itself."""
    command = [sys.executable, "-m", "benchmarks.flood", str(file)]
    source, told = os.pipe()
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=told)
    os.close(told)
    poured = Poured()
    with os.fdopen(source, "rb") as said:
        try:
            if not await asyncio.to_thread(said.readline):
                raise OperatorError("the flood", "its end", "events")
            yield poured
            if process.returncode is not None:
                raise OperatorError("the flood", "its end", "no end")
        finally:
            await process.communicate(b"")  # ends its standard input
        poured.events = int(said.read())


async def _accepted(settings: ConnectionSettings) -> int:
    redis = connect(settings.redis_url)
    try:
        store = FeatureStore(redis, Keys(settings.redis_prefix), DEFAULT_SLOTS, 0)
        return (await store.ledger())["acc"]
    finally:
        await redis.aclose()


def main(size: Size, console: Console) -> dict[str, Any]:
    """On Apache Kafka, unless the environment names a cluster."""
    with brokers.kafka("apache") as kafka, brokers.redis() as redis:
        return asyncio.run(bench(kafka, redis, size, console))
