"""One process of a rebuild: some partitions, from beginning to end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from millstream import logs
from millstream.domain.clock import wall_clock
from millstream.domain.errors import Halt, OperatorError
from millstream.model.signing import letters_judged_by
from millstream.rebuild.history import History, Log, NoLog
from millstream.rebuild.letters import LettersAgain
from millstream.rebuild.log import open_log
from millstream.rebuild.pace import Pace
from millstream.rebuild.pipeline import Stages, run_pipeline
from millstream.rebuild.plan import Span
from millstream.recommender.derive import Deriver
from millstream.recommender.quarantine import Quarantine
from millstream.recommender.record import Recorder
from millstream.recommender.settings import RecommenderSettings
from millstream.stores.affinities import AffinityStore
from millstream.stores.feature_store import FeatureStore
from millstream.stores.fences import read_fences
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.redis import connected
from millstream.stores.starts import Starts
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.producer import producer_for
from millstream.streaming.replayed import signed_origins
from millstream.streaming.starting import started
from millstream.streaming.topics import EVENTS
from millstream.streaming.trial import poison_among

LOG_LEVEL = "WARNING"
MOST_STARTS = 1
"""Somebody had to type the second: what comes next is tried before it is read again."""


@dataclass(frozen=True)
class Job:
    """`partitions`: how many the topic has; `settled`: those whose letters are not sent again."""

    settings: RecommenderSettings
    slots: int
    partitions: int
    spans: tuple[Span, ...]
    settled: frozenset[int]

    @property
    def topic(self) -> str:
        return self.settings.topic(EVENTS)


def main(job: Job, pace: Pace, told: Connection) -> None:
    """In a process of its own, which ends with the one that started it. What is an operator's to
    mend is told as text; anything else is a traceback and a code other than 0."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it comes to all; the first process ends us
    logs.configure(LOG_LEVEL)  # of what the first process had set nothing comes along
    _collect_seldom()
    try:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(_while_wanted(job, pace))
    except (Halt, OperatorError) as error:
        told.send(str(error))


def _collect_seldom() -> None:
    """What is gathered between two flushes is much, and holds no cycles: looking for some took a
    fifth of the process's time."""
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


async def rebuild_part(job: Job, pace: Pace) -> None:
    """Raises Halt and OperatorError."""
    async with _opened(job, pace) as (history, stages):
        await run_pipeline(history, stages)


async def _while_wanted(job: Job, pace: Pace) -> None:
    parent = multiprocessing.parent_process()
    work = asyncio.ensure_future(rebuild_part(job, pace))
    if parent is not None:
        asyncio.get_running_loop().add_reader(parent.sentinel, work.cancel)
    await work


@asynccontextmanager
async def _opened(job: Job, pace: Pace) -> AsyncIterator[tuple[History, Stages]]:
    settings, topic = job.settings, job.topic
    async with AsyncExitStack() as stack:
        redis = await connected(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        keys = Keys(settings.redis_prefix)
        numbers = ItemNumbers(redis, keys)
        await numbers.load()  # what a rebuild that was cut short has met
        store = FeatureStore(redis, keys, job.slots, job.partitions)
        recorder = Recorder(store, numbers, job.slots, wall_clock)
        sources = [(topic, span.partition) for span in job.spans]
        fences = await read_fences(redis, keys, job.slots, sources)
        recorder.resume({tp: fences.partitions[tp].per_slot for tp in sources}, fences.epoch)
        log: Log = NoLog()
        from_log = [span for span in job.spans if span.end > span.lake_to]
        if from_log:
            servers = settings.brokers
            log = await stack.enter_async_context(open_log(servers, topic, from_log))
        judged_by = letters_judged_by(settings.keys_dir)
        quarantine = Quarantine(
            LettersAgain(await _letters(job, stack), job.settled),
            signed_origins(*judged_by),
            Starts(redis, keys),
            lambda records: poison_among(records, judged_by),
            MOST_STARTS,
        )
        await quarantine.begin(fences)
        stages = Stages(
            topic,
            quarantine,
            recorder,
            Deriver(
                AffinityStore(redis, keys, job.slots, numbers), numbers, deriving=settings.deriving
            ),
            pace,
        )
        yield History(settings.lake_dir, topic, job.spans, log, pace), stages


async def _letters(job: Job, stack: AsyncExitStack) -> DeadLetters | None:
    if all(span.partition in job.settled for span in job.spans):
        return None
    producer = producer_for(job.settings, "millstream-rebuild")
    stack.push_async_callback(producer.stop)
    await started(producer, job.settings.brokers)
    return DeadLetters(producer)
