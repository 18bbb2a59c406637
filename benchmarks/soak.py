"""A recommender under a steady load for minutes: does its resident memory grow?"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

from benchmarks.backlog import recommending
from benchmarks.latency import maker, open_target
from benchmarks.made_shop import make_shop, open_shop
from benchmarks.open_loop import measure
from benchmarks.processes import resident_bytes
from rich.console import Console

from millstream.local import brokers
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import deployed
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS

ITEMS, SHOPPERS, INDEX_FROM, SEED = 10_000, 20_000, 20_000, 1
EVENTS_PER_S = 300
LOOK_S = 1.0
WARM_SHARE, TENTH = 0.2, 0.1
"""The first fifth fills what is filled once; then the first and the last tenth are compared."""


async def bench(
    kafka: KafkaEndpoint, redis: RedisEndpoint, minutes: float, console: Console
) -> dict[str, Any]:
    """Raises OperatorError where the recommender ends, or lets events go without lists."""
    shop = make_shop(ITEMS, SHOPPERS, 4, SEED, INDEX_FROM)
    async with deployed(kafka, redis) as deployment:
        settings = deployment.settings
        await open_shop(shop, settings)
        async with recommending(deployment, shop, [0, 1]) as running:
            console.print(f"{EVENTS_PER_S} events a second for {minutes:g} minutes …")
            looking = asyncio.create_task(_look(running.process.pid, minutes * 60))
            async with open_target(settings, EVENTS, RECOMMENDATIONS) as target:
                measured = await measure(maker(shop), target, EVENTS_PER_S, minutes * 60, SEED)
            sizes = await looking
    return {
        "rss_growth": round(growth(sizes), 4),
        "rss_mib_at_the_end": round(sizes[-1] / 2**20, 1),
        "soak_minutes": minutes,
        "soak_lists": measured.answers,
        "soak_unanswered": measured.unanswered,
        "soak_broker": kafka.name,
    }


async def _look(pid: int, seconds: float) -> list[int]:
    began, found = time.monotonic(), []
    for number in itertools.count(1):
        found.append(resident_bytes(pid))
        if number * LOOK_S > seconds:
            break
        await asyncio.sleep(max(0.0, began + number * LOOK_S - time.monotonic()))
    return found


def growth(sizes: list[int]) -> float:
    """Of the mean of the last tenth over that of the first tenth after the warm-up, less 1."""
    tenth, warm = max(1, int(TENTH * len(sizes))), int(WARM_SHARE * len(sizes))
    first, last = sizes[warm : warm + tenth], sizes[-tenth:]
    return (sum(last) / len(last)) / (sum(first) / len(first)) - 1


def main(minutes: float, console: Console) -> dict[str, Any]:
    """On Apache Kafka, unless the environment names a cluster."""
    with brokers.kafka("apache") as kafka, brokers.redis() as redis:
        return asyncio.run(bench(kafka, redis, minutes, console))
