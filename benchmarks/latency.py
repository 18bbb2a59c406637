"""`millstream bench latency`: from a storefront's send to its list read by a consumer.

The saturation is found first: a backlog tells how fast a recommender can go with nobody beside it
(`backlog_events_per_s`); at that rate events then come in open loop (open_loop.py), which is as
much as it can take or more, and the lists that are read a second meanwhile are the saturation. So
it is that of the whole machine with producer and consumer on the same CPUs, as under the loads
after it: shares of the saturation, each event by another shopper. Before each of them the same rate
goes through Kafka alone: the same events with the same producer settings to a topic of its own and
back (`bare_p99_ms`). `limit_ms` is LIMIT_MS or, where it is larger, LIMIT_TIMES that. An event that
is never answered counts as long as it was waited for.

With `training`, half of the saturation comes once more, beside a trainer that never ends
(endless_training.py): `beside_training`."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.backlog import recommending
from benchmarks.machine import machine
from benchmarks.made_events import open_for
from benchmarks.made_shop import Shop, make_shop, open_shop
from benchmarks.open_loop import Make, Measured, Target, measure
from rich.console import Console

from millstream.domain.errors import OperatorError
from millstream.domain.identity import record_key
from millstream.local import brokers
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import deployed
from millstream.local.list_follower import lists_consumer
from millstream.settings import ConnectionSettings
from millstream.streaming.producer import producer_for
from millstream.streaming.topic_admin import create_topics
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS, TopicSpec, read_topics

ROOT = Path(__file__).parents[1]
SHARES = {"at_10": 0.1, "at_50": 0.5, "at_80": 0.8}
LIMIT_MS = 150.0
LIMIT_TIMES = 5.0
FULL_S = 8.0
SEED = 1
BARE = "bench.bare"

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Size:
    items: int
    shoppers: int
    seconds: float
    index_from: int
    training: bool = False
    full_s: float = FULL_S
    """For so long events come as fast as a backlog is worked off."""


async def bench(
    kafka: KafkaEndpoint, redis: RedisEndpoint, size: Size, console: Console
) -> dict[str, Any]:
    """Raises OperatorError where the recommender ends or a shopper of the backlog gets no list."""
    facts = machine()
    console.print(f"{size.items:,} items and {size.shoppers:,} shoppers: making them …")
    shop = make_shop(size.items, size.shoppers, 4, SEED, size.index_from)
    gc.collect()
    gc.freeze()  # the shop's many objects are not to be looked at in the middle of the load
    async with deployed(kafka, redis) as deployment:
        settings = deployment.settings
        await open_shop(shop, settings)
        await _create_bare(settings)
        async with recommending(deployment, shop, [0, 1]) as running:
            console.print(f"a backlog of {size.shoppers:,} events …")
            backlog = (await running.drain(2)).lists_per_s
            console.print(f"{backlog:,.0f} events a second in open loop …")
            events_to_lists = (EVENTS, RECOMMENDATIONS)
            full = await _through(shop, settings, events_to_lists, backlog, size.full_s)
            saturation = full.answered_per_s
            if not saturation:
                raise OperatorError("the recommender", f"no list in {size.full_s:g} s", "some")
            loads = {}
            for name, share in SHARES.items():
                loads[name] = await _load(shop, settings, share * saturation, size.seconds)
                console.print(f"{name}: {loads[name]}")
            if size.training:
                console.print("at_50 once more, beside a training …")
                async with training():
                    rate = SHARES["at_50"] * saturation
                    loads["beside_training"] = await _load(shop, settings, rate, size.seconds)
    return {
        "broker": kafka.name,
        "saturation_events_per_s": round(saturation, 1),
        "backlog_events_per_s": round(backlog, 1),
        **loads,
        "items": size.items,
        "shoppers": size.shoppers,
        "seconds": size.seconds,
        "redis": redis.name,
        **facts,
    }


@asynccontextmanager
async def training() -> AsyncIterator[None]:
    """A trainer is at work inside. Raises OperatorError where it ends by itself."""
    command = [sys.executable, "-m", "benchmarks.endless_training"]
    source, told = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=PIPE, stdout=told, stderr=DEVNULL
    )
    os.close(told)
    try:
        with os.fdopen(source, "rb") as said:
            if not await asyncio.to_thread(said.readline):
                raise OperatorError("the training beside the load", "its end", "a training")
            yield
        if process.returncode is not None:
            raise OperatorError("the training beside the load", "its end", "no end")
    finally:
        await process.communicate(b"")  # ends its standard input


async def _load(
    shop: Shop, settings: ConnectionSettings, rate: float, seconds: float
) -> dict[str, Any]:
    bare = await _through(shop, settings, (BARE, BARE), rate, seconds)
    ours = await _through(shop, settings, (EVENTS, RECOMMENDATIONS), rate, seconds)
    limit = max(LIMIT_MS, LIMIT_TIMES * bare.p99_ms)
    return {
        "rate": ours.rate,
        "p50_ms": ours.p50_ms,
        "p99_ms": ours.p99_ms,
        "p999_ms": ours.p999_ms,
        "bare_p99_ms": bare.p99_ms,
        "limit_ms": round(limit, 2),
        "p99_over_limit": round(ours.p99_ms / limit, 4),
        "lists": ours.answers,
        "unanswered": ours.unanswered,
    }


async def _through(
    shop: Shop, settings: ConnectionSettings, topics: tuple[str, str], rate: float, seconds: float
) -> Measured:
    async with open_target(settings, *topics) as target:
        return await measure(maker(shop), target, rate, seconds, SEED)


@asynccontextmanager
async def open_target(
    settings: ConnectionSettings, topic: str, answers: str
) -> AsyncIterator[Target]:
    servers = settings.kafka_bootstrap_servers
    async with (
        open_for(producer_for(settings, "millstream-bench")) as producer,
        lists_consumer(servers, settings.topic(answers)) as consumer,
    ):
        yield Target(producer, settings.topic(topic), consumer)


def maker(shop: Shop) -> Make:
    """Each shopper in turn, so that two events of one are as far apart as can be."""

    def make(number: int, scheduled_ms: int) -> tuple[bytes, bytes]:
        event = shop.event(number % shop.shoppers, 3, scheduled_ms)
        return record_key(event.tenant, event.shopper), _encode(event)

    return make


async def _create_bare(settings: ConnectionSettings) -> None:
    """As the events topic, on which both sides of it depend."""
    [events] = [spec for spec in read_topics() if spec.name == EVENTS]
    bare: TopicSpec = msgspec.structs.replace(events, name=BARE)
    await create_topics(
        settings.kafka_bootstrap_servers, [bare], prefix=settings.topic_prefix, replay=True
    )


def main(size: Size, console: Console) -> dict[str, Any]:
    """On Apache Kafka, unless the environment names a cluster."""
    with brokers.kafka("apache") as kafka, brokers.redis() as redis:
        return asyncio.run(bench(kafka, redis, size, console))
