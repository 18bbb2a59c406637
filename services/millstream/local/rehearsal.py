"""A rehearsal: the whole system on recorded events, and what came of it. The walk:

1. the services start as processes of their own
2. the replayed storefront sends the recording and reads every list (replay.py)
3. models that are still being trained are waited for
4. the counts in Redis are compared with a recount of the topic
5. two models in a row are compared on what happened after both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import msgspec
from aiokafka.structs import ConsumerRecord

from millstream.domain.brokers import Servers
from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import wall_clock
from millstream.domain.events import Event
from millstream.domain.models import ModelAnnouncement
from millstream.local.deployment import Deployment
from millstream.local.fetched_ends import fetched_ends
from millstream.local.list_follower import follow_lists, lists_consumer
from millstream.local.pacing import Pacing
from millstream.local.recount import (
    Verdict,
    broker_ends,
    check_ends,
    compare,
    recount_topic,
)
from millstream.local.replay import Asker, Listener, Outcome, Replay
from millstream.local.storefront import Storefront, Topics
from millstream.model.sentiment.manifest import MODEL as SENTIMENT
from millstream.stores.feature_store import FeatureStore
from millstream.stores.fences import LEDGER
from millstream.stores.inventory import item_counts, shopper_counts
from millstream.stores.keys import Keys
from millstream.stores.redis import connected, read_slots
from millstream.streaming.followers import follow
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import CATALOG, EVENTS, MODELS, RECOMMENDATIONS

POLL_S = 0.2
MODEL_DEADLINE_S = 300.0
"""A training of the demo took over two minutes on two CPUs that had four other jobs."""
MOMENTS = 5
"""So often a recount is begun anew where events came meanwhile."""

T = TypeVar("T")
_ANNOUNCEMENTS = msgspec.json.Decoder(ModelAnnouncement)


@dataclass
class Rehearsal:
    """What is known while it runs; the live view reads it."""

    deployment: Deployment
    replay: Replay
    announced: list[ModelAnnouncement] = field(default_factory=list)
    followers: list[Callable[[], None]] = field(default_factory=list)
    """Each raises what ended a follower of ours, and does nothing while it follows."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def promoted(self) -> list[ModelAnnouncement]:
        return [model for model in self.announced if model.promoted]

    async def play(self, stream: Iterator[CatalogueItem | Event]) -> Outcome:
        """Raises OperatorError as soon as a service ends by itself, and what ended a follower."""
        return await self._watched(self.replay.run(stream))

    async def await_models(self, n: int) -> None:
        """Until n versions were announced, promoted or not, or MODEL_DEADLINE_S went by. Raises
        as `play` does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MODEL_DEADLINE_S):
                await self._watched(self._announced(n))

    def take_model(self, record: ConsumerRecord[Any, Any]) -> None:
        """A record of the models topic; a review model is nobody's lists."""
        if record.value is None:
            return
        told = _ANNOUNCEMENTS.decode(record.value)
        if told.model != SENTIMENT:
            self.announced.append(told)
            self._news.set()

    async def recount(self, others: bool = False) -> tuple[Verdict, dict[str, int]]:
        """The store against the topic; and the store's own ledger. `others`: somebody else may
        write to the topic as well, and go on doing so: what is compared is then of one moment."""
        settings = self.deployment.settings
        redis, keys = await connected(settings.redis_url), Keys(settings.redis_prefix)
        try:
            slots = await read_slots(redis, keys)
            store = FeatureStore(redis, keys, slots, 0)
            for _ in range(MOMENTS):
                ends = await self._all_ends(store) if others else await self._sent_ends()
                truth = await recount_topic(*self._log, ends)
                shoppers = await shopper_counts(redis, keys, slots)
                items = await item_counts(redis, keys, slots)
                ledger = await store.ledger()
                if not others or recorded(ledger) == sum(ends.values()):
                    break
        finally:
            await redis.aclose()
        return compare(truth, shoppers, items), ledger

    async def _sent_ends(self) -> dict[int, int]:
        """Raises OperatorError where the broker can tell that the log holds other records than
        those whose places we were told."""
        sent = self.replay.progress.ends
        if self.deployment.kafka.tells_ends:
            check_ends(self._log[1], sent, await broker_ends(*self._log))
        return sent

    async def _all_ends(self, store: FeatureStore) -> dict[int, int]:
        sent = self.replay.progress.ends
        nobody_else = recorded(await store.ledger()) == sum(sent.values())
        return sent if nobody_else else await fetched_ends(*self._log)

    @property
    def _log(self) -> tuple[Servers, str]:
        settings = self.deployment.settings
        return settings.brokers, settings.topic(EVENTS)

    async def _announced(self, n: int) -> None:
        while len(self.announced) < n:
            self._news.clear()
            await self._news.wait()

    async def _watched(self, work: Coroutine[Any, Any, T]) -> T:
        working = asyncio.create_task(work)
        watching = asyncio.create_task(self._watch())
        try:
            await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            return await working
        finally:
            working.cancel()
            watching.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            self.deployment.raise_dead()
            for raise_what_ended in self.followers:
                raise_what_ended()


@asynccontextmanager
async def rehearsing(
    deployment: Deployment,
    asker: Asker,
    *,
    pacing: Pacing | None = None,
    listeners: Sequence[Listener] = (),
) -> AsyncIterator[Rehearsal]:
    """Clients of the deployment's topics, started; the services are the caller's to start."""
    settings = deployment.settings
    producer = producer_for(settings, "millstream-storefront")
    await producer.start()
    topics = Topics(settings.topic(EVENTS), settings.topic(CATALOG))
    replay = Replay(
        Storefront(producer, topics, wall_clock),
        asker,
        clock=wall_clock,
        pacing=pacing,
        listeners=listeners,
    )
    rehearsal = Rehearsal(deployment, replay)
    servers = settings.brokers
    models = follow(servers, settings.topic(MODELS), rehearsal.take_model)
    await models.start()
    try:
        async with lists_consumer(servers, settings.topic(RECOMMENDATIONS)) as consumer:
            following = asyncio.create_task(follow_lists(consumer, replay.listed))
            rehearsal.followers += [models.raise_what_ended_it, partial(_raise, following)]
            try:
                yield rehearsal
            finally:
                following.cancel()
                await asyncio.wait([following])
    finally:
        await models.close()
        await producer.stop()


def recorded(ledger: Mapping[str, int]) -> int:
    """How many records of the log have their fate in it."""
    return sum(ledger[name] for name in LEDGER)


def _raise(task: asyncio.Task[None]) -> None:
    """What ended the task, if anything did."""
    if task.done():
        task.result()
