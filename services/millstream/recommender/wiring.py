"""Builds a recommender: what stands behind the pipeline, and what runs beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from time import monotonic

import structlog

from millstream.counting.guard import Assigned, Guard
from millstream.counting.recheck import Recheck
from millstream.domain.clock import wall_clock
from millstream.domain.log import Partition
from millstream.model.registry import Registry
from millstream.model.signing import letters_judged_by, load_public_key
from millstream.ranking.rankings import read_rankings
from millstream.recommender import telemetry
from millstream.recommender.conservation import CHECK_SECONDS, Conservation
from millstream.recommender.derive import Deriver
from millstream.recommender.draft import Drafter, Freshness
from millstream.recommender.fair_shares import FairShares
from millstream.recommender.following import Told, follow_shop
from millstream.recommender.ground import Ground, opened_ground
from millstream.recommender.heap import trim_for_ever
from millstream.recommender.hot_swap import HotSwap
from millstream.recommender.lag import LOOK_SECONDS, Lag
from millstream.recommender.pipeline import Stages
from millstream.recommender.publish import Publisher, Topics
from millstream.recommender.quarantine import Quarantine
from millstream.recommender.record import Recorder
from millstream.recommender.settings import RecommenderSettings
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
from millstream.stores.fences import Fences
from millstream.stores.item_totals import ItemTotals
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.outbox import Outbox
from millstream.stores.redis import connected, require_noeviction
from millstream.stores.review_book import ReviewBook
from millstream.stores.rule_book import RuleBook
from millstream.stores.served_lists import ServedLists
from millstream.stores.starts import Starts
from millstream.stores.visits import Visits
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.over_full import OverFull
from millstream.streaming.producer import producer_for
from millstream.streaming.replayed import signed_origins
from millstream.streaming.starting import started
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS
from millstream.streaming.trial import poison_among

log = structlog.get_logger()

FLUSH_SECONDS = 0.5
FLUSH_SHARE = 0.1
"""Of the time at most: what counts and lists need comes first, and the same items come again."""
IDLE_SECONDS = 1.0
GUARD_SECONDS = 5.0
TOTALS_SECONDS = 60.0
OWED_SECONDS = 5.0
LAST_FLUSH_SECONDS = 2.0


Run = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Running:
    """`beside`: what must go on while the worker does; each runs until cancelled, and its failure
    stops the process."""

    worker: Worker
    beside: tuple[Run, ...]


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
        ground = await opened_ground(stack, settings)
        lists = await _lists(stack, ground)
        # lists: made from catalogue, rules, experiments and models, which are followed from now on
        deriver = Deriver(lists.affinities, ground.numbers, lists.drafter.forget, settings.deriving)
        stack.push_async_callback(_last_flush, deriver)
        stages = _stages(ground, lists.drafter, deriver)
        # stages: of the pipeline, each with what it needs
        worker = Worker(
            stages, _takeover(ground, stages.quarantine), ground.reader, settings.chunk_events
        )
        yield Running(
            worker,
            (
                *lists.beside,
                *_beside_stages(stages),
                *_watching(ground, worker, assigned),
                *_summing(ground),
                trim_for_ever,
                lambda: _every(IDLE_SECONDS, worker.advance_idle),
                lambda: _every(OWED_SECONDS, lambda: _send_owed(stages, worker, assigned)),
            ),
        )


@dataclass(frozen=True, slots=True)
class _Lists:
    affinities: AffinityStore
    drafter: Drafter
    beside: tuple[Run, ...]


async def _lists(stack: AsyncExitStack, ground: Ground) -> _Lists:
    settings, redis, keys = ground.settings, ground.redis, ground.keys
    affinities = AffinityStore(redis, keys, ground.slots, ground.numbers)
    rankings = read_rankings(settings.ranking_file, settings.ranking_dir)
    catalogue, demand, reviews = Catalogue(), DemandBook(), ReviewBook()
    rules, experiments = RuleBook(wall_clock), ExperimentBook(wall_clock)
    models = HotSwap(
        settings.model_name,
        Registry(settings.model_store),
        RedisModelPointer(redis, keys),
        load_public_key(settings.keys_dir),
        experiments.named_versions,
    )
    stack.callback(lambda: telemetry.log_totals(catalogue.refused))
    told = Told(catalogue, rules, experiments, demand, reviews)
    followers = await follow_shop(stack, settings, told, models)
    drafter = Drafter(
        lambda tenant: CachedShop(tenant, affinities, catalogue, demand, reviews, wall_clock),
        models,
        Variants(settings.variant, rankings, experiments.running),
        rules.in_force,
        Visits(ground.store, ground.numbers),
    )
    follows = (follower.run_to_its_end for follower in followers)
    return _Lists(affinities, drafter, (models.run, lambda: _log_totals(catalogue), *follows))


def _stages(ground: Ground, drafter: Drafter, deriver: Deriver) -> Stages:
    settings, redis, keys = ground.settings, ground.redis, ground.keys
    judged_by = letters_judged_by(settings.keys_dir)
    dead_letters, origin_of = DeadLetters(ground.producer), signed_origins(*judged_by)
    outbox, over_full_gone = Outbox(redis, keys, ground.slots), telemetry.GONE.inc
    return Stages(
        quarantine=Quarantine(
            dead_letters,
            origin_of,
            Starts(redis, keys),
            lambda records: poison_among(records, judged_by),
        ),
        eviction=Recheck(lambda: require_noeviction(redis), GUARD_SECONDS, monotonic),
        recorder=Recorder(ground.store, ground.numbers, ground.slots, wall_clock),
        over_full=OverFull(dead_letters, outbox, ground.reader, origin_of, over_full_gone),
        deriver=deriver,
        drafter=drafter,
        publisher=Publisher(
            ground.producer,
            Topics(settings.topic(EVENTS), settings.topic(RECOMMENDATIONS)),
            wall_clock,
        ),
        tenure=Tenure(settings.session_timeout_seconds / 2, monotonic),
        served=ServedLists(redis, keys, ground.slots, ground.numbers),
        freshness=Freshness(settings.freshness_seconds * 1000, wall_clock),
        fair=_fair_shares(settings),
    )


def _takeover(ground: Ground, quarantine: Quarantine) -> Positions:
    async def take_over(partitions: list[Partition]) -> Fences:
        await ground.look_again()
        fences = await ground.positions(partitions)
        await quarantine.begin(fences)
        return fences

    return take_over


def _fair_shares(settings: RecommenderSettings) -> FairShares:
    """None gives up any where every event, however old, is to have its list."""
    behind_ms = settings.fair_after_ms if settings.freshness_seconds else 0
    return FairShares(behind_ms, wall_clock)


def _beside_stages(stages: Stages) -> tuple[Run, ...]:
    deriver = stages.deriver
    return (
        deriver.run,
        lambda: _flush(deriver),
        stages.tenure.run,
        stages.eviction.run,
    )


def _watching(ground: Ground, worker: Worker, assigned: Assigned) -> tuple[Run, ...]:
    """That it moves, counts what it takes, and how far it is behind."""
    redis, keys, slots = ground.redis, ground.keys, ground.slots
    guard = Guard(
        worker,
        ground.reader,
        lambda: require_epoch(redis, keys, slots, worker.epoch),
        monotonic,
        assigned,
    )
    conservation = Conservation(ground.positions)
    lag = Lag(ground.reader, worker.standing, wall_clock)
    return (
        guard.run,
        lambda: _every(CHECK_SECONDS, lambda: _conserved(conservation, worker)),
        lambda: _every(LOOK_SECONDS, lambda: _look(lag, assigned)),
    )


def _summing(ground: Ground) -> tuple[Run, ...]:
    sweeper = Sweeper(ItemTotals(ground.redis, ground.keys, ground.slots))
    return sweeper.run, sweeper.run_full


async def _send_owed(stages: Stages, worker: Worker, assigned: Assigned) -> None:
    mine = assigned()
    places = {tp: at.expected for tp, at in worker.standing().items() if tp in mine}
    await stages.over_full.send_owed(places)


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
