"""`millstream bench scale`: what more workers cost, and how soon a worker counts.

`cpu_s_per_million_events`: by number of workers the CPU time of all of them, user and system, per
million counted events. The workers are at rest and share the partitions when a backlog becomes
visible at one moment (one transaction); from when WARM of it is counted to when all is. Events
happened an hour ago: past the freshness bound they are counted, and no list is owed.

`restart_p95_s`: of two workers under a steady load one is killed by kill -9 and started again at
once. From the kill to when every partition has counted a record that came into the log after the
kill; that is the slowest of the killed worker's, by whoever has it then.

`start_s`: from the start of a worker's process, in a group that has nothing committed, to when the
first chunk of a full topic is counted; the median of the starts. No process may have loaded
TensorFlow; an OperatorError tells it."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import msgspec
import numpy as np
from benchmarks.backlog import DEADLINE_S, WARM, told
from benchmarks.machine import machine
from benchmarks.made_events import Load, fill, made_events, open_for, send_at_once
from benchmarks.processes import cpu_seconds, mapped_files, until
from redis.asyncio import Redis
from rich.console import Console

from millstream.domain.clock import wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.events import Event
from millstream.domain.identity import record_key
from millstream.local import brokers
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, ServiceProcess, deployed
from millstream.settings import ConnectionSettings
from millstream.stores.feature_store import FeatureStore
from millstream.stores.fences import read_fences
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, connect, fix_slots
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import EVENTS

AGE_MS = 3_600_000
FRESHNESS_SECONDS = 60
STEADY_EVENTS_PER_S = 300
POLL_S = 0.02
START_DEADLINE_S = 60.0
RESTART_WORKERS = 2

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Size:
    events: int
    workers: tuple[int, ...]
    restarts: int
    starts: int

    @property
    def load(self) -> Load:
        return Load(self.events, max(1, self.events // 5), 10_000, seed=1)


@dataclass(frozen=True)
class Servers:
    kafka: KafkaEndpoint
    redis: RedisEndpoint
    client: Redis


async def bench(
    kafka: KafkaEndpoint, redis: RedisEndpoint, size: Size, console: Console
) -> dict[str, Any]:
    """Raises OperatorError where something does not come about in time."""
    facts = machine()
    client = connect(redis.url)
    servers = Servers(kafka, redis, client)
    try:
        cost: dict[int, float] = {}
        for workers in size.workers:
            console.print(f"{workers} workers, a backlog of {size.events:,} events …")
            cost[workers] = await _cost(servers, size, workers)
        console.print(f"{size.starts} starts …")
        starts = await _starts(servers, size)
        console.print(f"{size.restarts} times kill -9 …")
        restarts = await _restarts(servers, size)
    finally:
        await client.aclose()
    return {
        "broker": kafka.name,
        "cpu_s_per_million_events": {str(n): round(s, 2) for n, s in cost.items()},
        "growth": round(cost[max(cost)] / cost[min(cost)], 3),
        "restart_p95_s": round(float(np.percentile(restarts, 95)), 2),
        "restarts_s": [round(s, 2) for s in restarts],
        "start_s": round(median(starts), 2),
        "starts_s": [round(s, 2) for s in starts],
        "session_timeout_s": kafka.session_timeout_s,
        "events": size.events,
        "redis": redis.name,
        **facts,
    }


async def _cost(servers: Servers, size: Size, workers: int) -> float:
    """CPU seconds per million events."""
    async with deployed(servers.kafka, servers.redis) as deployment:
        processes = await _workers(deployment, workers)
        store = _store(servers.client, deployment.settings.redis_prefix)
        started = wall_clock() - AGE_MS
        await send_at_once(deployment.settings, made_events(size.load, started), lambda _: None)
        seen: list[tuple[int, float]] = []

        async def all_counted() -> bool:
            deployment.raise_dead()
            counted = (await store.ledger())["acc"]
            seen.append((counted, sum(cpu_seconds(process.pid) for process in processes)))
            return counted >= size.events

        await until(all_counted, f"{size.events} counted events", DEADLINE_S)
        first = next(row for row in seen if row[0] >= WARM * size.events)
        if first is seen[-1]:
            raise OperatorError("the backlog", f"{size.events} events, counted at once", "more")
        _refuse_tensorflow(processes)
        return (seen[-1][1] - first[1]) / (seen[-1][0] - first[0]) * 1e6


async def _workers(deployment: Deployment, n: int) -> list[ServiceProcess]:
    processes = [
        await deployment.start("recommender", freshness_seconds=FRESHNESS_SECONDS) for _ in range(n)
    ]
    await deployment.members(n)
    await deployment.recommender_ready()
    return processes


async def _starts(servers: Servers, size: Size) -> list[float]:
    found = []
    async with deployed(servers.kafka, servers.redis) as deployment:
        await fill(deployment.settings, size.load, wall_clock() - AGE_MS, lambda _: None)
        for number in range(size.starts):
            prefix = f"{deployment.settings.redis_prefix}{number}:"
            await fix_slots(servers.client, Keys(prefix), DEFAULT_SLOTS)
            store = _store(servers.client, prefix)
            began = time.monotonic()
            process = await deployment.start(
                "recommender",
                redis_prefix=prefix,
                group=f"bench-{secrets.token_hex(4)}",
                freshness_seconds=FRESHNESS_SECONDS,
            )
            with told(process):

                async def counting(store: FeatureStore = store) -> bool:
                    deployment.raise_dead()
                    return (await store.ledger())["acc"] > 0

                found.append(
                    await until(counting, "a counted chunk", START_DEADLINE_S, POLL_S) - began
                )
                _refuse_tensorflow([process])
            await asyncio.to_thread(process.stop)
    return found


async def _restarts(servers: Servers, size: Size) -> list[float]:
    found: list[float] = []
    async with deployed(servers.kafka, servers.redis) as deployment:
        processes = await _workers(deployment, RESTART_WORKERS)
        async with _steady(deployment.settings) as ends:
            for number in range(size.restarts):
                await _counted_beyond(servers.client, deployment, dict(ends))
                victim = processes[number % RESTART_WORKERS]
                began = time.monotonic()
                await asyncio.to_thread(victim.kill)
                await asyncio.to_thread(victim.start)
                at_kill = dict(ends)
                found.append(await _counted_beyond(servers.client, deployment, at_kill) - began)
                await deployment.members(RESTART_WORKERS)
    return found


async def _counted_beyond(client: Redis, deployment: Deployment, ends: dict[int, int]) -> float:
    """When each partition has counted a record at or after its given offset."""
    settings = deployment.settings
    places = [(settings.topic(EVENTS), partition) for partition in ends]

    async def beyond() -> bool:
        deployment.raise_dead()
        fences = await read_fences(client, Keys(settings.redis_prefix), DEFAULT_SLOTS, places)
        return all(fences.partitions[tp].highest > ends[tp[1]] for tp in places)

    return await until(beyond, "every partition counting", START_DEADLINE_S, POLL_S)


@asynccontextmanager
async def _steady(settings: ConnectionSettings) -> AsyncIterator[dict[int, int]]:
    """STEADY_EVENTS_PER_S until it is left; gives per partition the next offset, of records that
    are in the log. Entered when every partition has one."""
    ends: dict[int, int] = {}
    async with open_for(producer_for(settings, "millstream-bench")) as producer:
        task = asyncio.create_task(_send_steadily(producer, settings.topic(EVENTS), ends))
        try:
            wanted = len(await producer.partitions_for(settings.topic(EVENTS)))

            async def everywhere() -> bool:
                if task.done():
                    task.result()
                return len(ends) == wanted

            await until(everywhere, f"records in {wanted} partitions", START_DEADLINE_S)
            yield ends
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _send_steadily(producer: Any, topic: str, ends: dict[int, int]) -> None:
    load = Load(events=100_000, shoppers=5_000, items=10_000, seed=2)
    began = time.monotonic()

    def durable(future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and future.exception() is None:
            place = future.result()
            ends[place.partition] = max(ends.get(place.partition, 0), place.offset + 1)

    for number, (_, event) in enumerate(_without_end(load)):
        await asyncio.sleep(max(0.0, began + number / STEADY_EVENTS_PER_S - time.monotonic()))
        key = record_key(event.tenant, event.shopper)
        future = await producer.send(topic, _encode(event), key, timestamp_ms=wall_clock())
        future.add_done_callback(durable)


def _without_end(load: Load) -> Iterator[tuple[int, Event]]:
    return itertools.chain.from_iterable(
        made_events(replace(load, seed=seed), wall_clock()) for seed in itertools.count(load.seed)
    )


def _store(client: Redis, prefix: str) -> FeatureStore:
    return FeatureStore(client, Keys(prefix), DEFAULT_SLOTS, 0)


def _refuse_tensorflow(processes: Sequence[ServiceProcess]) -> None:
    for process in processes:
        loaded = [name for name in mapped_files(process.pid) if "tensorflow" in name]
        if loaded:
            raise OperatorError("the recommender", f"{loaded[0]} loaded", "no TensorFlow")


def main(size: Size, console: Console) -> dict[str, Any]:
    """On Apache Kafka, unless the environment names a cluster."""
    with brokers.kafka("apache") as kafka, brokers.redis() as redis:
        return asyncio.run(bench(kafka, redis, size, console))
