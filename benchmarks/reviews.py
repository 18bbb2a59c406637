"""`millstream bench reviews`: from reviews on their topic to exact counts, beside judging alone.

`reviews_per_s`: insights, one process, meets made-up reviews that all lie on the topic; from when
WARM of them are counted in Redis to when all are. In between each is decoded, judged, its verdict
acknowledged by Kafka, read again and counted by the fenced call. `cpu_us_per_review`: of insights
in that time.

`judged_per_s`: the same reviews by the same version of the model in one thread of this process,
in calls as large as insights' own; nothing is decoded, sent or counted. The best of ROUNDS.

How good the verdicts are is no question here: nobody wrote these reviews."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
from benchmarks.backlog import DEADLINE_S, WARM, told
from benchmarks.machine import machine
from benchmarks.made_events import IN_FLIGHT, open_for
from benchmarks.processes import cpu_seconds, until
from rich.console import Console

from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.identity import record_key
from millstream.domain.reviews import Review
from millstream.insights.reviews.following import AT_ONCE
from millstream.insights.reviews.judge import verdicts_of
from millstream.insights.reviews.models import SentimentModels, Serving
from millstream.local import brokers
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, deployed
from millstream.local.made_reviews import made_up
from millstream.local.reviewing import train_made_up
from millstream.model.registry import Registry
from millstream.model.signing import load_public_key
from millstream.settings import ConnectionSettings
from millstream.stores.fences import read_fences
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import DEFAULT_SLOTS, connect
from millstream.stores.verdict_store import review_keys
from millstream.streaming.producer import producer_for
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import REVIEW_VERDICTS, REVIEWS

TENANT = "default"
ROUNDS = 3
POLL_S = 0.02

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Size:
    reviews: int
    shoppers: int
    items: int


async def bench(
    kafka: KafkaEndpoint, redis: RedisEndpoint, size: Size, console: Console
) -> dict[str, Any]:
    """Raises OperatorError where not all is counted in time."""
    facts = machine()
    async with deployed(kafka, redis) as deployment:
        console.print("A review model of made-up reviews …")
        await train_made_up(deployment, TENANT)
        reviews = list(made_reviews(size, wall_clock()))
        console.print(f"{size.reviews:,} reviews, judged alone …")
        alone = _judged_per_s(reviews, await _serving(deployment.settings))
        await _send(deployment.settings, reviews)
        console.print("The same, judged and counted by insights …")
        whole, cpu_s = await _counted_per_s(deployment, size.reviews)
    return {
        "broker": kafka.name,
        "reviews_per_s": round(whole, 1),
        "judged_per_s": round(alone, 1),
        "ratio": round(whole / alone, 3),
        "cpu_us_per_review": round(cpu_s * 1e6, 1),
        "reviews": size.reviews,
        "redis": redis.name,
        **facts,
    }


def made_reviews(size: Size, now_ms: int) -> Iterator[Review]:
    """Each shopper's in turn; an item of all at random."""
    random = Random(1)  # noqa: S311  nothing secret
    for number in range(size.reviews):
        one = made_up(random)
        yield Review(
            review_id=f"r-{number}",
            item_id=f"sku-{random.randrange(size.items):06d}",
            time=as_datetime(now_ms),
            user_id=f"u-{number % size.shoppers}",
            title=one.title,
            text=one.text,
        )


async def _serving(settings: ConnectionSettings) -> Serving:
    redis = connect(settings.redis_url)
    try:
        return await SentimentModels(
            TENANT,
            Registry(settings.model_store),
            RedisModelPointer(redis, Keys(settings.redis_prefix)),
            load_public_key(settings.keys_dir),
            time.monotonic,
        ).serving()
    finally:
        await redis.aclose()


def _judged_per_s(reviews: Sequence[Review], serving: Serving) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for start in range(0, len(reviews), AT_ONCE):
            verdicts_of(reviews[start : start + AT_ONCE], serving)
        best = min(best, time.perf_counter() - began)
    return len(reviews) / best


async def _send(settings: ConnectionSettings, reviews: Sequence[Review]) -> None:
    """Returns when all are durable."""
    topic = settings.topic(REVIEWS)
    async with open_for(producer_for(settings, "millstream-bench")) as producer:
        for start in range(0, len(reviews), IN_FLIGHT):
            sent = [
                await producer.send(topic, _encode(one), record_key(one.tenant, one.shopper))
                for one in reviews[start : start + IN_FLIGHT]
            ]
            await asyncio.gather(*sent)


async def _counted_per_s(deployment: Deployment, reviews: int) -> tuple[float, float]:
    """And the CPU seconds of each."""
    settings = deployment.settings
    places = await partitions_of(settings.brokers, settings.topic(REVIEW_VERDICTS))
    sources = [(place.topic, place.partition) for place in places]
    redis, keys = connect(settings.redis_url), review_keys(settings.redis_prefix)
    process = await deployment.start(
        "insights", insights_reviews=True, insights_demand=False, insights_niceness=0
    )
    seen: list[tuple[int, float, float]] = []

    async def all_counted() -> bool:
        deployment.raise_dead()
        found = (await read_fences(redis, keys, DEFAULT_SLOTS, sources)).partitions.values()
        counted = sum((at.ledger or {}).get("acc", 0) for at in found)
        seen.append((counted, time.monotonic(), cpu_seconds(process.pid)))
        return counted >= reviews

    try:
        with told(process):
            await until(all_counted, f"{reviews} counted reviews", DEADLINE_S, POLL_S)
    finally:
        await redis.aclose()
    first, last = next(row for row in seen if row[0] >= WARM * reviews), seen[-1]
    if first is last:
        raise OperatorError("the reviews", f"{reviews}, counted at once", "more")
    counted = last[0] - first[0]
    return counted / (last[1] - first[1]), (last[2] - first[2]) / counted


def main(size: Size, console: Console) -> dict[str, Any]:
    """On Apache Kafka, unless the environment names a cluster."""
    with brokers.kafka("apache") as kafka, brokers.redis() as redis:
        return asyncio.run(bench(kafka, redis, size, console))
