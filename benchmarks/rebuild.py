"""`millstream bench rebuild`: a Redis that lost everything, counted anew from Apache Kafka.

A topic is filled with events, the first REPEATED of them a second time. A recommender counts some
of them, so that there is a state to lose; it is stopped, and Redis is emptied, functions and all.
Then `millstream rebuild` runs as its user would run it, and its time is all that the command takes:
its start, the processes it starts, the item totals at its end. `cpu_us_per_event` is what its
processes and what Redis used in that time; `redis_busy` the part of the time that Redis was at
work, whose functions all run on one thread.

`exact` is 1 where every count of every shopper and item is what an independent recount of the topic
says (local/recount.py, which shares no code with the worker), and the ledger tells of every
record."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
from benchmarks.machine import machine
from benchmarks.made_events import Load, fill, made_events
from benchmarks.processes import until
from redis.asyncio import Redis
from rich.console import Console
from rich.progress import Progress

from millstream.domain.clock import wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.identity import record_key
from millstream.local import brokers
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, deployed
from millstream.local.recount import compare, recount_topic
from millstream.rebuild.wiring import Outcome
from millstream.stores.feature_store import FeatureStore
from millstream.stores.inventory import item_counts, shopper_counts
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, connect
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import EVENTS

AGE_MS = 3_600_000
FRESHNESS_SECONDS = 60
LOST = 0.05
"""Of the events: what is counted before Redis is emptied."""
REPEATED = 10_000
DEADLINE_S = 120.0


@dataclass(frozen=True)
class Run:
    """Of one rebuild: what it said, and its seconds by the clock, of its processes and of Redis."""

    outcome: Outcome
    seconds: float
    own_cpu_s: float
    redis_cpu_s: float

    def figures(self) -> dict[str, Any]:
        events = self.outcome.events
        return {
            "events": events,
            "events_per_s": round(events / self.seconds, 1),
            "seconds": round(self.seconds, 2),
            "cpu_us_per_event": {
                "rebuild": round(1e6 * self.own_cpu_s / events, 1),
                "redis": round(1e6 * self.redis_cpu_s / events, 1),
            },
            "redis_busy": round(self.redis_cpu_s / self.seconds, 3),
        }


async def bench(
    kafka: KafkaEndpoint, redis: RedisEndpoint, load: Load, processes: int, console: Console
) -> dict[str, Any]:
    """Raises OperatorError where the rebuild fails."""
    facts = machine()
    async with deployed(kafka, redis) as deployment:
        client = connect(redis.url)
        try:
            ends = await _filled(deployment, load, console)
            console.print("counting some, to be lost")
            await _count_some(deployment, client, load, len(ends))
            await client.flushall()
            await client.function_flush()
            run = await _rebuild(deployment, client, processes)
            console.print("recounting")
            exact = await _is_exact(deployment, client, ends, run.outcome)
        finally:
            await client.aclose()
    return {
        "broker": kafka.name,
        "redis": redis.name,
        "exact": int(exact),
        **run.figures(),
        "processes": processes,
        "shoppers": load.shoppers,
        "ledger": run.outcome.ledger,
        **facts,
    }


async def _filled(deployment: Deployment, load: Load, console: Console) -> dict[int, int]:
    start_ms = wall_clock() - AGE_MS
    with Progress(console=console, transient=True) as progress:
        sending = progress.add_task("sending the events", total=load.events)
        ends = await fill(
            deployment.settings, load, start_ms, lambda n: progress.update(sending, completed=n)
        )
    async with producer_for(deployment.settings, "millstream-bench") as producer:
        again = [
            await producer.send(
                deployment.settings.topic(EVENTS),
                msgspec.json.encode(event),
                record_key(event.tenant, event.shopper),
                timestamp_ms=start_ms + load.events,
            )
            for _, event in islice(made_events(load, start_ms), min(REPEATED, load.events))
        ]
        for place in await asyncio.gather(*again):
            ends[place.partition] = max(ends[place.partition], place.offset + 1)
    return ends


async def _count_some(deployment: Deployment, redis: Redis, load: Load, partitions: int) -> None:
    """Returns when the recommender has ended and left the group."""
    store = FeatureStore(redis, Keys(deployment.settings.redis_prefix), DEFAULT_SLOTS, partitions)
    process = await deployment.start("recommender", freshness_seconds=FRESHNESS_SECONDS)

    async def enough() -> bool:
        deployment.raise_dead()
        return (await store.ledger())["acc"] >= LOST * load.events

    await until(enough, "some counts that can be lost", DEADLINE_S)
    await asyncio.to_thread(process.stop)


async def _rebuild(deployment: Deployment, redis: Redis, processes: int) -> Run:
    """The command; its progress is on our standard error."""
    redis_cpu_s, own_cpu_s = await _cpu_of(redis), _cpu_of_children()
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millstream", "rebuild", "--json"),
        *("--processes", str(processes)),
        env={**os.environ, **deployment._variables},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    seconds = time.monotonic() - began
    if process.returncode:
        raise OperatorError(
            "millstream rebuild", f"code {process.returncode}", "an outcome", "It says why above"
        )
    outcome = msgspec.json.decode(out, type=Outcome)
    own_cpu_s, redis_cpu_s = _cpu_of_children() - own_cpu_s, await _cpu_of(redis) - redis_cpu_s
    return Run(outcome, seconds, own_cpu_s, redis_cpu_s)


async def _cpu_of(redis: Redis) -> float:
    told = await redis.info("cpu")
    return float(told["used_cpu_user"] + told["used_cpu_sys"])


def _cpu_of_children() -> float:
    """Seconds of all our processes that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _is_exact(
    deployment: Deployment, redis: Redis, ends: dict[int, int], outcome: Outcome
) -> bool:
    settings = deployment.settings
    topic, keys = settings.topic(EVENTS), Keys(settings.redis_prefix)
    recount = await recount_topic(settings.kafka_bootstrap_servers, topic, ends)
    users = await shopper_counts(redis, keys, DEFAULT_SLOTS)
    verdict = compare(recount, users, await item_counts(redis, keys, DEFAULT_SLOTS))
    differences = (verdict.lost, verdict.doubled, verdict.lost_lines, verdict.doubled_lines)
    ledger = {name: n for name, n in outcome.ledger.items() if n and name != "itm"}
    return (
        not any(differences)
        and not outcome.residue
        and not recount.unreadable
        and outcome.events == sum(ends.values())
        and ledger == {"acc": recount.accepted, "dup": recount.repeated}
    )


def main(load: Load, processes: int, console: Console) -> dict[str, Any]:
    """On Apache Kafka, unless the environment names a broker; Redis is started here in any case,
    since it is emptied."""
    with brokers.kafka("apache") as kafka, brokers.redis(environ={}) as redis:
        return asyncio.run(bench(kafka, redis, load, processes, console))
