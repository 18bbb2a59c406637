"""What a recommender stands on: Redis and the brokers, both answering, and the deployment ready."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer

from millstream.domain.log import Partition
from millstream.recommender.readiness import require_ready
from millstream.recommender.settings import RecommenderSettings
from millstream.stores.feature_store import FeatureStore
from millstream.stores.fences import Fences, read_fences
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.redis import connected, read_slots
from millstream.streaming.probe import LogReader
from millstream.streaming.producer import producer_for
from millstream.streaming.starting import started
from millstream.streaming.topics import EVENTS

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class Ground:
    settings: RecommenderSettings
    redis: Redis
    keys: Keys
    slots: int
    numbers: ItemNumbers
    store: FeatureStore
    producer: AIOKafkaProducer
    reader: LogReader

    async def positions(self, partitions: list[Partition]) -> Fences:
        """As worker.Positions."""
        return await read_fences(self.redis, self.keys, self.slots, partitions)

    async def look_again(self) -> None:
        """At what may have changed when partitions come: their number, and the items that their
        shoppers touched elsewhere."""
        await self.producer.client.force_metadata_update()
        self.store.expect(await _partitions(self.producer, self.settings))
        await self.numbers.load()


async def opened_ground(stack: AsyncExitStack, settings: RecommenderSettings) -> Ground:
    """`stack` closes it. Raises Halt or OperatorError where the deployment is not ready."""
    redis = await connected(settings.redis_url)
    stack.push_async_callback(redis.aclose)
    keys = Keys(settings.redis_prefix)
    slots = await read_slots(redis, keys)
    await require_ready(settings, redis, keys, slots)
    producer = producer_for(settings, "millstream-recommender", linger_ms=0)
    stack.push_async_callback(producer.stop)
    await started(producer, settings.brokers)
    return Ground(
        settings=settings,
        redis=redis,
        keys=keys,
        slots=slots,
        numbers=ItemNumbers(redis, keys),
        store=FeatureStore(redis, keys, slots, await _partitions(producer, settings)),
        producer=producer,
        reader=await stack.enter_async_context(LogReader(settings.brokers)),
    )


async def _partitions(producer: AIOKafkaProducer, settings: RecommenderSettings) -> int:
    """Of the events topic."""
    return len(await producer.partitions_for(settings.topic(EVENTS)))
