"""Builds a recommender: what stands behind the pipeline, and what runs beside it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from millstream.domain.clock import wall_clock
from millstream.model.registry import Registry
from millstream.model.signing import load_public_key
from millstream.ranking.settings import RankingSettings
from millstream.recommender import telemetry
from millstream.recommender.derive import Deriver
from millstream.recommender.draft import Drafter, Freshness
from millstream.recommender.following import follow_shop
from millstream.recommender.hot_swap import HotSwap
from millstream.recommender.pipeline import Stages
from millstream.recommender.publish import Publisher, Topics
from millstream.recommender.record import Recorder
from millstream.recommender.settings import RecommenderSettings
from millstream.recommender.worker import Positions, Worker
from millstream.stores.affinities import AffinityStore
from millstream.stores.cached_shop import CachedShop
from millstream.stores.catalogue import Catalogue
from millstream.stores.feature_store import FeatureStore
from millstream.stores.fences import read_epoch, read_fences
from millstream.stores.item_totals import ItemTotals
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import connected, read_slots, require_noeviction
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.probe import first_offset
from millstream.streaming.producer import producer_for
from millstream.streaming.starting import started
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS
from millstream.streaming.transport import Partition

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis

FLUSH_SECONDS = 0.5
LONGEST_FLUSH_PAUSE_SECONDS = 5.0
FLUSH_SHARE = 0.1
"""Of the time at most: under a backlog Redis is to count, and the same items come again anyway."""
IDLE_SECONDS = 1.0
SWEEP_SECONDS = 1.0
FULL_SWEEP_SECONDS = 60.0
GUARD_SECONDS = 5.0
TOTALS_SECONDS = 60.0
LAST_FLUSH_SECONDS = 2.0


@dataclass(frozen=True)
class Running:
    """`beside`: what must go on while the worker does; each runs until cancelled, and its failure
    stops the process."""

    worker: Worker
    beside: tuple[Callable[[], Awaitable[None]], ...]


async def reach(settings: RecommenderSettings) -> None:
    """Raises OperatorError where Redis or the brokers do not answer: before Faust starts, which
    would tell it as a traceback."""
    redis = await connected(settings.redis_url)
    await redis.aclose()
    producer = producer_for(settings, "millstream-recommender")
    try:
        await started(producer, settings.kafka_bootstrap_servers)
    finally:
        await producer.stop()


@asynccontextmanager
async def running(settings: RecommenderSettings) -> AsyncIterator[Running]:
    """Everything but Faust, started; on exit what was gathered is written. Raises Halt or
    OperatorError where the deployment is not ready."""
    async with AsyncExitStack() as stack:
        redis = await connected(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        await require_noeviction(redis)
        keys = Keys(settings.redis_prefix)
        slots = await read_slots(redis, keys)
        producer = producer_for(settings, "millstream-recommender")
        stack.push_async_callback(producer.stop)
        await started(producer, settings.kafka_bootstrap_servers)
        partitions = len(await producer.partitions_for(settings.topic(EVENTS)))

        affinities = AffinityStore(redis, keys, slots)
        models = HotSwap(
            settings.model_name,
            Registry(settings.model_store),
            RedisModelPointer(redis, keys),
            load_public_key(settings.keys_dir),
        )
        catalogue = Catalogue()
        stack.callback(lambda: telemetry.log_totals(catalogue.refused))
        followers = await follow_shop(stack, settings, catalogue, models)
        ranking = RankingSettings()
        deriver = Deriver(affinities)
        stack.push_async_callback(_last_flush, deriver)
        stages = Stages(
            dead_letters=DeadLetters(producer),
            recorder=Recorder(FeatureStore(redis, keys, slots, partitions), slots, wall_clock),
            deriver=deriver,
            drafter=Drafter(
                lambda tenant: CachedShop(tenant, affinities, catalogue, wall_clock),
                models,
                ranking,
            ),
            publisher=Publisher(
                producer,
                Topics(settings.topic(EVENTS), settings.topic(RECOMMENDATIONS)),
                settings.variant,
                ranking.digest(),
                wall_clock,
            ),
            freshness=Freshness(settings.freshness_seconds * 1000, wall_clock),
        )
        worker = Worker(
            stages,
            _positions(redis, keys, slots),
            partial(first_offset, settings.kafka_bootstrap_servers),
            settings.chunk_events,
        )
        yield Running(
            worker,
            (
                models.run,
                deriver.run,
                lambda: _flush(deriver),
                lambda: _every(IDLE_SECONDS, worker.advance_idle),
                lambda: _every(GUARD_SECONDS, lambda: require_noeviction(redis)),
                lambda: _sweep(ItemTotals(redis, keys, slots)),
                lambda: _log_totals(catalogue),
                *(follower.run_to_its_end for follower in followers),
            ),
        )


def _positions(redis: Redis, keys: Keys, slots: int) -> Positions:
    async def read(partitions: list[Partition]) -> tuple[dict[Partition, tuple[int, ...]], str]:
        fences = await read_fences(redis, keys, slots, partitions)
        return {tp: found.per_slot for tp, found in fences.items()}, await read_epoch(redis, keys)

    return read


async def _last_flush(deriver: Deriver) -> None:
    """Not for as long as a Redis that is away or full is waited for: we are asked to end."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_FLUSH_SECONDS):
            await deriver.flush()


async def _log_totals(catalogue: Catalogue) -> None:
    while True:
        await asyncio.sleep(TOTALS_SECONDS)
        telemetry.log_totals(catalogue.refused)


async def _every(seconds: float, call: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await call()


async def _flush(deriver: Deriver) -> None:
    loop = asyncio.get_running_loop()
    pause = FLUSH_SECONDS
    while True:
        await asyncio.sleep(pause)
        began = loop.time()
        await deriver.flush()
        wanted = (loop.time() - began) * (1 / FLUSH_SHARE - 1)
        pause = min(max(FLUSH_SECONDS, wanted), LONGEST_FLUSH_PAUSE_SECONDS)


async def _sweep(totals: ItemTotals) -> None:
    """Keeps the item totals up to date while this process has the lease."""
    owner = uuid4().hex
    loop = asyncio.get_running_loop()
    full_at = loop.time() + FULL_SWEEP_SECONDS
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        if not await totals.lease(owner, seconds=5):
            continue
        await totals.sweep_dirty()
        if loop.time() >= full_at:
            await totals.sweep_all()
            full_at = loop.time() + FULL_SWEEP_SECONDS
