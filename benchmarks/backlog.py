"""A recommender at rest meets a backlog that becomes visible at one moment, and is watched from
outside until every list of it is out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord
from benchmarks.made_events import open_for, send, send_at_once
from benchmarks.made_shop import MODEL_VERSION, Shop
from benchmarks.processes import cpu_seconds, until

from millstream.domain.clock import wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.lists import RecommendationList
from millstream.local.deployment import Deployment, ServiceProcess
from millstream.stores.feature_store import FeatureStore
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, connect
from millstream.streaming.producer import producer_for
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import RECOMMENDATIONS

WARM = 0.1
POLL_S = 0.1
DEADLINE_S = 240.0
HISTORY_AGE_MS = 2 * 86_400_000
FRESHNESS_SECONDS = 86_400
"""Of the history no list is owed, of everything later one is."""
_CHECKED = 200
"""Lists of a drain that are decoded and looked into."""

_decode = msgspec.json.Decoder(RecommendationList).decode


@dataclass(frozen=True)
class Drain:
    """From when WARM of the lists were out to when all were: by the times that the lists have on
    their topic, and by the processes' CPU time."""

    lists: int
    lists_per_s: float
    cpu_s_per_list: float


@dataclass
class Recommending:
    """A deployment whose recommenders have taken in the shop and its shoppers' history."""

    deployment: Deployment
    processes: Sequence[ServiceProcess]
    shop: Shop
    lists: AIOKafkaConsumer

    @property
    def process(self) -> ServiceProcess:
        """One of them."""
        return self.processes[0]

    async def drain(self, place: int) -> Drain:
        """The visit at `place` of every shopper as one backlog. Raises OperatorError where not
        each shopper got one list, by the model."""
        wanted, began = self.shop.shoppers, await self._ends()
        events = self.shop.visits([place], wall_clock() - wanted)
        await send_at_once(self.deployment.settings, events, lambda _: None)
        seen: list[tuple[int, float]] = []

        async def all_out() -> bool:
            self.deployment.raise_dead()
            ends = await self._ends()
            out = sum(ends.values()) - sum(began.values())
            seen.append((out, sum(cpu_seconds(process.pid) for process in self.processes)))
            return out >= wanted

        await until(all_out, f"{wanted} lists", DEADLINE_S, POLL_S)
        times = await self._times(began, wanted)
        first = int(WARM * wanted)
        warm = next(row for row in seen if row[0] >= first)
        if warm is seen[-1]:
            raise OperatorError("the backlog", f"{wanted} lists, out at once", "more shoppers")
        return Drain(
            lists=wanted,
            lists_per_s=(wanted - first) / ((times[-1] - times[first]) / 1000),
            cpu_s_per_list=(seen[-1][1] - warm[1]) / (seen[-1][0] - warm[0]),
        )

    async def _ends(self) -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = await self.lists.end_offsets(self.lists.assignment())
        return found

    async def _times(self, began: dict[TopicPartition, int], wanted: int) -> list[int]:
        """Ascending, in ms."""
        for place, offset in began.items():
            self.lists.seek(place, offset)
        records: list[ConsumerRecord[Any, Any]] = []
        deadline = time.monotonic() + DEADLINE_S
        while len(records) < wanted and time.monotonic() < deadline:
            for found in (await self.lists.getmany(timeout_ms=500)).values():
                records += found
        if len(records) != wanted or len({record.key for record in records}) != wanted:
            raise OperatorError("the lists", f"{len(records)} lists", f"one for each of {wanted}")
        for record in islice(records, _CHECKED):
            ranked = _decode(record.value)
            if ranked.model_version != MODEL_VERSION or not ranked.items:
                found = f"{len(ranked.items)} items by {ranked.model_version}"
                raise OperatorError("a list", found, f"one by {MODEL_VERSION}")
        return sorted(record.timestamp for record in records)


@contextmanager
def told(process: ServiceProcess) -> Iterator[None]:
    """With the end of the process's log where something went wrong."""
    try:
        yield
    except OperatorError as error:
        raise OperatorError(
            process.name, str(error), "one that goes on", process.log_tail()
        ) from error


@asynccontextmanager
async def recommending(
    deployment: Deployment, shop: Shop, places: Sequence[int], workers: int = 1, **changes: object
) -> AsyncIterator[Recommending]:
    """So many recommenders, which have counted the visits at `places`, of two days ago. `changes`:
    settings that are to be otherwise."""
    processes = [
        await deployment.start("recommender", freshness_seconds=FRESHNESS_SECONDS, **changes)
        for _ in range(workers)
    ]
    settings = deployment.settings
    servers = settings.kafka_bootstrap_servers
    lists = AIOKafkaConsumer(bootstrap_servers=servers, group_id=None, enable_auto_commit=False)
    await lists.start()
    try:
        lists.assign(await partitions_of(servers, settings.topic(RECOMMENDATIONS)))
        with told(processes[0]):
            await deployment.members(workers)
            await deployment.recommender_ready()
            events = shop.visits(places, wall_clock() - HISTORY_AGE_MS)
            async with open_for(producer_for(settings, "millstream-bench")) as producer:
                await send(producer, settings, events, lambda _: None)
            await counted(deployment, len(places) * shop.shoppers)
            yield Recommending(deployment, processes, shop, lists)
    finally:
        await lists.stop()
        await asyncio.gather(*(asyncio.to_thread(process.stop) for process in processes))


async def counted(deployment: Deployment, events: int, poll_s: float = 0.05) -> float:
    """Returns time.monotonic() when so many events are accepted. Raises OperatorError."""
    settings = deployment.settings
    redis = connect(settings.redis_url)
    store = FeatureStore(redis, Keys(settings.redis_prefix), DEFAULT_SLOTS, 0)

    async def all_counted() -> bool:
        deployment.raise_dead()
        return (await store.ledger())["acc"] >= events

    try:
        return await until(all_counted, f"{events} accepted events", DEADLINE_S, poll_s)
    finally:
        await redis.aclose()
