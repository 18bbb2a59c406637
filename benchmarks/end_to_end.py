"""`millstream bench end-to-end`: from events of distinct shoppers to their lists on the topic.

Recommenders at rest, `workers` of them, whose shoppers have touched some items before, meet a
backlog of one event of each (backlog.py). `lists_per_s` is from when WARM of the lists were out to
when all were, by the times on their topic; `lists_per_cpu_s` is over the CPU time of their
processes meanwhile, all threads. `bare_score_per_s` is the scoring alone of the same shoppers'
vectors by the same model (scoring.py), just before and just after it, on one thread as in each
recommender: the median of its rounds, as the machine is now quick and now slow; `ratio` is the
lists of all workers over it. Broker, Redis, sender and workers share the machine's cores; the
scoring alone has one to itself.

`stages`: microseconds of CPU time a list, by what the process was at in a second backlog, in which
py-spy looked at it (its own cost is in no other figure). `recall`: of the exact first 20 nearest
where few shoppers ask, through the index if the version has one (`search`); the portions of a
backlog are large and searched exactly up to some number of items (model/scorer.py)."""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import dataclass
from typing import Any

from benchmarks.backlog import Drain, recommending
from benchmarks.machine import machine
from benchmarks.made_shop import BLEND, DIMENSIONS, Kind, Shop, make_shop, open_shop
from benchmarks.sampled import Profile, program, sampling
from benchmarks.scoring import rounds_of
from rich.console import Console

from millstream.domain.models import Network
from millstream.local import brokers
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import deployed
from millstream.ranking.settings import RankingSettings
from millstream.recommender.settings import RecommenderSettings

SEED = 1
BARE_SHOPPERS = 4_096
STAGES = {
    "decode_records": "decode",
    "recommender/record.py": "record",
    "counting/": "record",
    "recommender/derive.py": "derive",
    "recommender/draft.py": "draft",
    "recommender/publish.py": "publish",
    "stores/served_lists.py": "served",
    "aiokafka/producer": "kafka producer",
    "aiokafka/consumer": "kafka consumer",
}
OTHER = "event loop and the rest"


@dataclass(frozen=True)
class Size:
    items: int
    shoppers: int
    workers: int
    visits: int
    """Before the backlog, per shopper."""
    bare_seconds: float
    index_from: int
    blend: bool = False
    """By a learnt blend, not by the fixed weights of ranking."""
    network: Network = Network.DOT_PRODUCT


async def bench(
    kafka: KafkaEndpoint, redis: RedisEndpoint, size: Size, console: Console
) -> dict[str, Any]:
    """Raises OperatorError where not every shopper gets one list by the model."""
    facts, _ = machine(), program()
    console.print(f"{size.items:,} items and {size.shoppers:,} shoppers: making them …")
    # The last two visits are the backlogs.
    kind = Kind(size.network, BLEND if size.blend else None)
    shop = make_shop(size.items, size.shoppers, size.visits + 2, SEED, size.index_from, kind)
    async with deployed(kafka, redis) as deployment:
        await open_shop(shop, deployment.settings)
        console.print(f"{size.visits * size.shoppers:,} events of two days ago …")
        async with recommending(deployment, shop, range(size.visits), size.workers) as running:
            console.print("the scoring alone, before and after …")
            bare = _bare(shop, size.bare_seconds / 2)
            console.print(f"a backlog of {size.shoppers:,} events …")
            drain = await running.drain(size.visits)
            bare += _bare(shop, size.bare_seconds / 2)
            console.print("the same under py-spy …")
            async with sampling(running.process.pid) as profile:
                await running.drain(size.visits + 1)
    return {
        "broker": kafka.name,
        **_speed(drain, bare, shop.recall),
        **_stages(drain, profile),
        "items": size.items,
        "dimensions": DIMENSIONS,
        "shoppers": size.shoppers,
        "workers": size.workers,
        "touched_before": size.visits,
        "network": str(size.network),
        "weights": "a learnt blend" if size.blend else "fixed",
        "search": "exact" if shop.parts.index is None else "index",
        "redis": redis.name,
        **facts,
    }


def _bare(shop: Shop, seconds: float) -> list[tuple[float, float]]:
    """(wall, CPU) seconds a list in portions of a worker, round by round. Blocks."""
    batch = RecommenderSettings.model_fields["chunk_events"].default
    vectors = shop.vectors(BARE_SHOPPERS)
    rounds = rounds_of(shop.scorer, vectors, batch, seconds, RankingSettings().candidates)
    return [(wall_s / len(vectors), cpu_s / len(vectors)) for wall_s, cpu_s in rounds]


def _speed(drain: Drain, bare: list[tuple[float, float]], recall: float) -> dict[str, Any]:
    wall_s, cpu_s = (statistics.median(column) for column in zip(*bare, strict=True))
    return {
        "lists_per_s": round(drain.lists_per_s, 1),
        "lists_per_cpu_s": round(1 / drain.cpu_s_per_list, 1),
        "bare_score_per_s": round(1 / wall_s, 1),
        "ratio": round(drain.lists_per_s * wall_s, 4),
        "recall": recall,
        "bare_cpu_us_per_list": round(cpu_s * 1e6, 1),
    }


def _stages(drain: Drain, profile: Profile) -> dict[str, Any]:
    cost_us = drain.cpu_s_per_list * 1e6
    shares = profile.by_stage(STAGES, OTHER)
    return {
        "stages": {name: round(share * cost_us, 1) for name, share in shares.items()},
        "cpu_us_per_list": round(cost_us, 1),
        "samples": profile.stacks.total(),
    }


def main(size: Size, console: Console) -> dict[str, Any]:
    """On Apache Kafka, unless the environment names a cluster."""
    with brokers.kafka("apache") as kafka, brokers.redis() as redis:
        return asyncio.run(bench(kafka, redis, size, console))
