"""Builds what judges and counts reviews from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

import structlog
from aiokafka import AIOKafkaConsumer

from millstream.counting.fenced import FencedCounter
from millstream.counting.guard import Guard
from millstream.counting.recheck import Recheck
from millstream.domain.clock import wall_clock
from millstream.domain.log import Partition
from millstream.insights import telemetry
from millstream.insights.publish import Producer
from millstream.insights.reviews.count import VerdictCounter
from millstream.insights.reviews.following import ReviewReader
from millstream.insights.reviews.judge import JudgeStages
from millstream.insights.reviews.lag import LOOK_SECONDS, Lag
from millstream.insights.reviews.models import SentimentModels
from millstream.insights.reviews.tell import CountTeller
from millstream.insights.settings import InsightsSettings
from millstream.model.registry import Registry
from millstream.model.signing import load_public_key
from millstream.privacy.following import ErasureFollower
from millstream.stores.epoch import epochs, require_epoch
from millstream.stores.erasures import ErasedState
from millstream.stores.fences import Fences, read_fences
from millstream.stores.item_totals import ItemTotals
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.outbox import Outbox
from millstream.stores.redis import connected, read_slots, require_noeviction
from millstream.stores.reset import require_whole
from millstream.stores.review_book import ReviewBook
from millstream.stores.verdict_store import ReviewTotals, VerdictStore, review_keys
from millstream.streaming.access import access
from millstream.streaming.dead_letters import DeadLetters, Sender
from millstream.streaming.followers import follow, read_to_its_end
from millstream.streaming.header_names import read_any_header_name
from millstream.streaming.log_settings import require_events_log
from millstream.streaming.probe import LogReader
from millstream.streaming.starting import started
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import ERASURES, REVIEW_COUNTS, REVIEW_VERDICTS

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis

CATCH_UP_S = 30.0
EVICTION_SECONDS = 5.0
CONSERVATION_SECONDS = 60.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reviewing:
    """`beside`: what must go on while reviews are judged; each runs until cancelled, and its
    failure stops the process."""

    reader: ReviewReader
    beside: tuple[Callable[[], Awaitable[None]], ...]


@dataclass
class CountingStore:
    """Implements count.Store."""

    redis: Redis
    keys: Keys
    slots: int
    partitions: list[Partition]
    erasures: ErasureFollower
    eviction: Recheck
    totals: ReviewTotals
    _known: set[str] = field(default_factory=set)

    async def positions(self) -> Fences:
        await ErasedState(self.redis, self.keys, self.slots).set_marks(self.erasures.marks)
        return await read_fences(self.redis, self.keys, self.slots, self.partitions)

    async def before(self, tenants: Collection[str]) -> None:
        await self.eviction.hold()
        new = self.erasures.take_new()
        if new:
            await ErasedState(self.redis, self.keys, self.slots).set_marks(new)
        unknown = set(tenants) - self._known
        if unknown:
            await self.totals.know(unknown)
            self._known |= unknown

    async def drop_over(self) -> None:
        outbox = Outbox(self.redis, self.keys, self.slots)
        await outbox.settle(await outbox.owed(self.partitions))

    async def conserved(self) -> None:
        """For ever, once a minute: every offset that was taken has a fate in the ledger."""
        while True:
            await asyncio.sleep(CONSERVATION_SECONDS)
            found = await read_fences(self.redis, self.keys, self.slots, self.partitions)
            for tp, partition in found.partitions.items():
                residue = partition.residue or 0
                telemetry.RESIDUE.labels(str(tp[1])).set(residue)
                if residue:
                    log.error("the ledger does not add up", partition=tp[1], residue=residue)


@asynccontextmanager
async def reviewing(
    settings: InsightsSettings, producer: Producer, letters: Sender
) -> AsyncIterator[Reviewing]:
    """Raises Halt or OperatorError where the deployment is not ready."""
    async with AsyncExitStack() as stack:
        redis = await connected(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        models = SentimentModels(
            settings.tenant,
            Registry(settings.model_store),
            RedisModelPointer(redis, Keys(settings.redis_prefix)),
            load_public_key(settings.keys_dir),
            monotonic,
        )
        verdicts = settings.topic(REVIEW_VERDICTS)
        stages = JudgeStages(DeadLetters(letters), models, producer, verdicts)
        probe = await stack.enter_async_context(LogReader(settings.brokers))
        store = await _store(stack, settings, redis)
        teller = await _teller(stack, settings, store, producer)
        counter = VerdictCounter(
            FencedCounter(
                VerdictStore(redis, store.keys, store.slots, len(store.partitions)), wall_clock
            ),
            store,
            await _consumer(stack, settings),
            probe,
            store.slots,
            teller.changed,
        )
        # A question at a time is what a LogReader is asked: the guard has its own.
        guard_probe = await stack.enter_async_context(LogReader(settings.brokers))
        guard = Guard(
            counter,
            guard_probe,
            lambda: require_epoch(redis, store.keys, store.slots, counter.epoch),
            monotonic,
            lambda: store.partitions,
        )
        reader = ReviewReader(stages, probe)
        lag_probe = await stack.enter_async_context(LogReader(settings.brokers))
        lag = Lag(lag_probe, lambda: {**reader.reached(), **counter.reached()}, wall_clock)
        beside = (
            *(counter.run, teller.run, guard.run, store.eviction.run, store.conserved),
            lambda: _look_for_ever(lag),
        )
        yield Reviewing(reader, beside)


async def _look_for_ever(lag: Lag) -> None:
    while True:
        await lag.look()
        await asyncio.sleep(LOOK_SECONDS)


async def _store(stack: AsyncExitStack, settings: InsightsSettings, redis: Redis) -> CountingStore:
    slots = await read_slots(redis, Keys(settings.redis_prefix))
    keys, topic = review_keys(settings.redis_prefix), settings.topic(REVIEW_VERDICTS)
    await require_noeviction(redis)
    await require_whole(redis, keys)
    await epochs(redis, keys, slots)  # raises where the functions of this release are not loaded
    idempotence = settings.kafka_idempotence
    for doubt in await require_events_log(settings.brokers, topic, idempotence=idempotence):
        log.warning("less safe than it could be", why=doubt)
    places = await partitions_of(settings.brokers, topic)
    erasures = ErasureFollower(settings.brokers, settings.topic(ERASURES))
    return CountingStore(
        redis,
        keys,
        slots,
        [(place.topic, place.partition) for place in places],
        await stack.enter_async_context(erasures),
        Recheck(lambda: require_noeviction(redis), EVICTION_SECONDS, monotonic),
        ReviewTotals(redis, keys, slots),
    )


async def _teller(
    stack: AsyncExitStack, settings: InsightsSettings, store: CountingStore, producer: Producer
) -> CountTeller:
    topic, told = settings.topic(REVIEW_COUNTS), ReviewBook()
    follower = follow(settings.brokers, topic, lambda record: told.take(record.key, record.value))
    await read_to_its_end(follower, settings.brokers, topic, CATCH_UP_S, "all that was told")
    stack.push_async_callback(follower.close)
    sweep = ItemTotals(store.redis, store.keys, store.slots)
    return CountTeller(sweep, store.totals, told, producer, topic)


async def _consumer(stack: AsyncExitStack, settings: InsightsSettings) -> AIOKafkaConsumer:
    read_any_header_name()
    consumer = AIOKafkaConsumer(
        **access(settings.brokers),
        group_id=None,
        auto_offset_reset="none",
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    stack.push_async_callback(consumer.stop)
    await started(consumer, settings.brokers)
    return consumer
