"""A producer with transactions on Apache Kafka: what it committed counts once, the rest never."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis
from tests.builders import event

from millstream.domain.clock import wall_clock
from millstream.domain.events import Event
from millstream.domain.identity import record_key
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, deployed
from millstream.local.kafka import ApacheKafka
from millstream.local.valkey import Valkey
from millstream.stores.feature_store import FeatureStore
from millstream.stores.inventory import Count, shopper_counts
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, connect
from millstream.streaming.probe import first_offset
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import EVENTS

pytestmark = pytest.mark.live

DEADLINE_S = 30


@pytest.fixture
async def deployment(apache_kafka: ApacheKafka, valkey: Valkey) -> AsyncIterator[Deployment]:
    kafka = KafkaEndpoint(apache_kafka.bootstrap_servers, apache_kafka.name, True, 6)
    async with deployed(kafka, RedisEndpoint(valkey.url, valkey.name)) as made:
        yield made


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    client = connect(valkey.url)
    yield client
    await client.aclose()


class Shop:
    """Sends events, and knows which of them count."""

    def __init__(self, deployment: Deployment, shoppers: int) -> None:
        self._shoppers = shoppers
        self._settings = deployment.settings
        self._topic = deployment.settings.topic(EVENTS)
        self._sent = 0
        self.counting: list[Event] = []
        self.partitions: set[int] = set()

    async def plain(self, n: int) -> None:
        producer = producer_for(self._settings, "test")
        async with producer:
            self.counting += await self._send(producer, n)

    async def transaction(self, n: int, *, commit: bool) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            transactional_id=f"{self._topic}.test",
        )
        async with producer:
            await producer.begin_transaction()
            sent = await self._send(producer, n)
            if commit:
                await producer.commit_transaction()
                self.counting += sent
            else:
                await producer.abort_transaction()

    async def _send(self, producer: AIOKafkaProducer, n: int) -> Sequence[Event]:
        now = wall_clock()
        numbers = range(self._sent, self._sent + n)
        self._sent += n
        made = [event(f"e{k}", f"u{k % self._shoppers}", "i", at_ms=now) for k in numbers]
        for what in made:
            key = record_key(what.tenant, what.shopper)
            at = await producer.send_and_wait(self._topic, msgspec.json.encode(what), key)
            self.partitions.add(at.partition)
        return made


async def test_committed_events_count_once_and_aborted_ones_never(
    deployment: Deployment, redis: Redis
) -> None:
    shop = Shop(deployment, shoppers=3)
    keys = Keys(deployment.settings.redis_prefix)
    await shop.transaction(6, commit=False)  # the log begins with a hole
    await shop.plain(6)
    recommender = await deployment.start("recommender")
    await _until_counted(deployment, redis, len(shop.counting))
    for _ in range(2):
        await shop.transaction(6, commit=True)
        await _until_counted(deployment, redis, len(shop.counting))
        await shop.transaction(6, commit=False)
        await shop.plain(6)  # its fetch begins behind markers and what was aborted
        await _until_counted(deployment, redis, len(shop.counting))

    expected: Counter[Count] = Counter(
        (what.tenant, what.shopper, str(what.type)) for what in shop.counting
    )
    assert await shopper_counts(redis, keys, DEFAULT_SLOTS) == expected
    assert "offsets that the log does not have" in recommender.log_path.read_text()


async def test_the_log_tells_what_it_has(deployment: Deployment) -> None:
    shop = Shop(deployment, shoppers=1)
    await shop.plain(2)  # 0, 1
    await shop.transaction(2, commit=False)  # 2, 3, marker 4
    await shop.plain(1)  # 5
    [partition] = shop.partitions
    settings = deployment.settings
    source = (settings.topic(EVENTS), partition)
    servers = settings.kafka_bootstrap_servers
    told = [await first_offset(servers, source, offset) for offset in (0, 1, 2, 3, 4, 5, 100)]
    assert told == [0, 1, 5, 5, 5, 5, None], "beyond the log nothing is told"


async def _until_counted(deployment: Deployment, redis: Redis, events: int) -> None:
    keys = Keys(deployment.settings.redis_prefix)
    store = FeatureStore(redis, keys, DEFAULT_SLOTS, 12)
    async with asyncio.timeout(DEADLINE_S):
        while (await store.ledger())["acc"] < events:
            deployment.raise_dead()
            await asyncio.sleep(0.05)
