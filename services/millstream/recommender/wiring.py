"""Builds a recommender: what stands behind the pipeline, and what runs beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from millstream.counting.guard import Assigned, Guard
from millstream.counting.recheck import Recheck
from millstream.domain.clock import wall_clock
from millstream.domain.log import Partition
from millstream.model.registry import Registry
from millstream.model.signing import load_public_key
from millstream.ranking.settings import read_ranking
from millstream.recommender import telemetry
from millstream.recommender.conservation import CHECK_SECONDS, Conservation
from millstream.recommender.derive import Deriver
from millstream.recommender.draft import Drafter, Freshness
from millstream.recommender.fair_shares import FairShares
from millstream.recommender.following import Told, follow_shop
from millstream.recommender.heap import trim_for_ever
from millstream.recommender.hot_swap import HotSwap
from millstream.recommender.lag import LOOK_SECONDS, Lag
from millstream.recommender.pipeline import Stages
from millstream.recommender.publish import Publisher, Topics
from millstream.recommender.quarantine import Quarantine
from millstream.recommender.readiness import require_ready
from millstream.recommender.record import Recorder
from millstream.recommender.settings import RecommenderSettings
from millstream.recommender.sign_in import SignIns
from millstream.recommender.sweep import Sweeper
from millstream.recommender.tenure import Tenure
from millstream.recommender.variants import Variants
from millstream.recommender.worker import Positions, Worker
from millstream.stores.affinities import AffinityStore
from millstream.stores.cached_shop import CachedShop
from millstream.stores.catalogue import Catalogue
from millstream.stores.demand_book import DemandBook
from millstream.stores.epoch import require_epoch
from millstream.stores.experiment_book import ExperimentBook
from millstream.stores.feature_store import FeatureStore
from millstream.stores.fences import Fences, read_fences
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.item_totals import ItemTotals
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.outbox import Outbox
from millstream.stores.redis import connected, read_slots, require_noeviction
from millstream.stores.review_book import ReviewBook
from millstream.stores.rule_book import RuleBook
from millstream.stores.served_lists import ServedLists
from millstream.stores.starts import Starts
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.over_full import OverFull
from millstream.streaming.probe import LogReader
from millstream.streaming.producer import producer_for
from millstream.streaming.replayed import signed_origins
from millstream.streaming.starting import started
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS
from millstream.streaming.trial import poison_among

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis

log = structlog.get_logger()

FLUSH_SECONDS = 0.5
FLUSH_SHARE = 0.1
"""Of the time at most: what counts and lists need comes first, and the same items come again."""
IDLE_SECONDS = 1.0
GUARD_SECONDS = 5.0
TOTALS_SECONDS = 60.0
OWED_SECONDS = 5.0
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
        await started(producer, settings.brokers)
    finally:
        await producer.stop()


@asynccontextmanager
async def running(settings: RecommenderSettings, assigned: Assigned) -> AsyncIterator[Running]:
    """Everything but Faust, started; on exit what was gathered is written. Raises Halt or
    OperatorError where the deployment is not ready."""
    async with AsyncExitStack() as stack:
        redis = await connected(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        keys = Keys(settings.redis_prefix)
        slots = await read_slots(redis, keys)
        await require_ready(settings, redis, keys, slots)
        producer = producer_for(settings, "millstream-recommender", linger_ms=0)
        stack.push_async_callback(producer.stop)
        await started(producer, settings.brokers)
        partitions = len(await producer.partitions_for(settings.topic(EVENTS)))

        numbers = ItemNumbers(redis, keys)
        affinities = AffinityStore(redis, keys, slots, numbers)
        store = FeatureStore(redis, keys, slots, partitions)
        public_key = load_public_key(settings.keys_dir)
        models = HotSwap(
            settings.model_name,
            Registry(settings.model_store),
            RedisModelPointer(redis, keys),
            public_key,
        )
        catalogue = Catalogue()
        rules, experiments = RuleBook(wall_clock), ExperimentBook(wall_clock)
        demand, reviews = DemandBook(), ReviewBook()
        stack.callback(lambda: telemetry.log_totals(catalogue.refused))
        followers = await follow_shop(
            stack, settings, Told(catalogue, rules, experiments, demand, reviews), models
        )
        drafter = Drafter(
            lambda tenant: CachedShop(tenant, affinities, catalogue, demand, reviews, wall_clock),
            models,
            Variants(settings.variant, read_ranking(settings.ranking_file), experiments.running),
            rules.in_force,
            SignIns(store, numbers),
        )
        deriver = Deriver(affinities, numbers, drafter.forget)
        stack.push_async_callback(_last_flush, deriver)
        log_reader = await stack.enter_async_context(LogReader(settings.brokers))
        dead_letters = DeadLetters(producer)
        origin_of = signed_origins(public_key)
        over_full = OverFull(
            dead_letters, Outbox(redis, keys, slots), log_reader, origin_of, telemetry.GONE.inc
        )
        quarantine = Quarantine(
            dead_letters,
            origin_of,
            Starts(redis, keys),
            lambda records: poison_among(records, public_key),
        )
        tenure = Tenure(settings.session_timeout_seconds / 2, monotonic)
        eviction = Recheck(lambda: require_noeviction(redis), GUARD_SECONDS, monotonic)
        stages = Stages(
            quarantine=quarantine,
            eviction=eviction,
            recorder=Recorder(store, numbers, slots, wall_clock),
            over_full=over_full,
            deriver=deriver,
            drafter=drafter,
            publisher=Publisher(
                producer,
                Topics(settings.topic(EVENTS), settings.topic(RECOMMENDATIONS)),
                wall_clock,
            ),
            tenure=tenure,
            served=ServedLists(redis, keys, slots, numbers),
            freshness=Freshness(settings.freshness_seconds * 1000, wall_clock),
            fair=_fair_shares(settings),
        )

        positions = _positions(redis, keys, slots)

        async def takeover(partitions: list[Partition]) -> Fences:
            """Also what may have changed when partitions come: their number, and the items that
            their shoppers touched elsewhere."""
            await producer.client.force_metadata_update()
            store.expect(len(await producer.partitions_for(settings.topic(EVENTS))))
            await numbers.load()
            fences = await positions(partitions)
            await quarantine.begin(fences)
            return fences

        conservation = Conservation(positions)
        worker = Worker(
            stages,
            takeover,
            log_reader,
            settings.chunk_events,
        )
        sweeper = Sweeper(ItemTotals(redis, keys, slots))
        lag = Lag(log_reader, worker.standing, wall_clock)
        guard = Guard(
            worker,
            log_reader,
            lambda: require_epoch(redis, keys, slots, worker.epoch),
            monotonic,
            assigned,
        )
        yield Running(
            worker,
            (
                models.run,
                deriver.run,
                tenure.run,
                lambda: _flush(deriver),
                lambda: _every(IDLE_SECONDS, worker.advance_idle),
                eviction.run,
                guard.run,
                lambda: _every(OWED_SECONDS, lambda: _send_owed(over_full, worker, assigned)),
                lambda: _every(CHECK_SECONDS, lambda: _conserved(conservation, worker)),
                lambda: _every(LOOK_SECONDS, lambda: _look(lag, assigned)),
                sweeper.run,
                sweeper.run_full,
                trim_for_ever,
                lambda: _log_totals(catalogue),
                *(follower.run_to_its_end for follower in followers),
            ),
        )


def _fair_shares(settings: RecommenderSettings) -> FairShares:
    """None gives up any where every event, however old, is to have its list."""
    behind_ms = settings.fair_after_ms if settings.freshness_seconds else 0
    return FairShares(behind_ms, wall_clock)


def _positions(redis: Redis, keys: Keys, slots: int) -> Positions:
    async def read(partitions: list[Partition]) -> Fences:
        return await read_fences(redis, keys, slots, partitions)

    return read


async def _send_owed(over_full: OverFull, worker: Worker, assigned: Assigned) -> None:
    mine = assigned()
    places = {tp: at.expected for tp, at in worker.standing().items() if tp in mine}
    await over_full.send_owed(places)


async def _conserved(conservation: Conservation, worker: Worker) -> None:
    await conservation.check(worker.standing())


async def _look(lag: Lag, assigned: Assigned) -> None:
    await lag.look(assigned())


async def _last_flush(deriver: Deriver) -> None:
    """Not for as long as a Redis that is away or full is waited for: we are asked to end. What
    fails here is derived, and must not hide why the process ends."""
    try:
        async with asyncio.timeout(LAST_FLUSH_SECONDS):
            await deriver.flush()
    except Exception as error:  # noqa: BLE001
        log.warning("what was gathered last is given up", kind=type(error).__name__)


async def _log_totals(catalogue: Catalogue) -> None:
    while True:
        await asyncio.sleep(TOTALS_SECONDS)
        telemetry.log_totals(catalogue.refused)


async def _every(seconds: float, call: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await call()


async def _flush(deriver: Deriver) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        await deriver.flush(FLUSH_SHARE)
