"""A log or a Redis that can no longer be trusted, under a running recommender on Apache Kafka: it
stops within ten seconds, names the page to read, and what was counted stays as it was."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import TopicAlreadyExistsError, for_code
from redis.asyncio import Redis
from tests.builders import event

from millstream.counting.positions import State, begin_at
from millstream.domain.clock import wall_clock
from millstream.domain.identity import record_key
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, ServiceProcess, deployed
from millstream.local.kafka import ApacheKafka
from millstream.local.valkey import Valkey
from millstream.recommender.settings import RecommenderSettings
from millstream.stores.epoch import bump_epoch
from millstream.stores.feature_store import FeatureStore
from millstream.stores.fences import field_of
from millstream.stores.inventory import Count, shopper_counts
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, connect
from millstream.streaming.producer import producer_for
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import EVENTS

pytestmark = pytest.mark.live

HALT_S = 10.0
PATIENCE_S = 40.0
SHOPPERS = 8


@dataclass
class Shop:
    deployment: Deployment
    redis: Redis
    recommender: ServiceProcess | None = None
    sent: list[str] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    told: str = ""
    """By the worker that halted last."""

    @property
    def topic(self) -> str:
        return self.deployment.settings.topic(EVENTS)

    @property
    def keys(self) -> Keys:
        return Keys(self.deployment.settings.redis_prefix)

    async def start(self) -> None:
        self.recommender = await self.deployment.start("recommender")

    async def send(self, n: int, series: str) -> None:
        """`n` events with ids of their own, spread over SHOPPERS shoppers."""
        async with producer_for(self.deployment.settings, "test") as producer:
            for number in range(n):
                what = event(f"{series}{number}", f"u{number % SHOPPERS}", "i", at_ms=wall_clock())
                key = record_key(what.tenant, what.shopper)
                at = await producer.send_and_wait(self.topic, msgspec.json.encode(what), key)
                self.ends[at.partition] = at.offset + 1
                self.sent.append(what.event_id)

    async def counts(self) -> dict[Count, int]:
        return dict(await shopper_counts(self.redis, self.keys, DEFAULT_SLOTS))

    async def counted(self, n: int) -> None:
        store = FeatureStore(self.redis, self.keys, DEFAULT_SLOTS, 12)

        async def reached() -> bool:
            self.deployment.raise_dead()
            return (await store.ledger())["acc"] >= n

        await until(reached, PATIENCE_S, f"{n} events counted")
        assert (await store.ledger())["acc"] == n
        assert sum((await self.counts()).values()) == n

    async def halted(self) -> str:
        """The page that it named at its end. Fails where it goes on for longer than HALT_S; of one
        that is starting, after the first line of its log, before which Python reads imports."""
        process = self.recommender
        assert process is not None

        async def begun() -> bool:
            return process.log_path.stat().st_size > 0

        async def gone() -> bool:
            return not process.alive

        await until(begun, PATIENCE_S, "a first line")
        began = time.monotonic()
        try:
            await until(gone, HALT_S, "a halt")
        except AssertionError:
            print(process.log_path.read_text()[-6000:])  # noqa: T201
            raise
        self.told = told = process.log_path.read_text()
        assert "recommender stopped" in told, told[-2000:]
        page = re.search(r"deploy/runbooks/([a-z-]+\.md)", told)
        assert page, told[-2000:]
        assert (Path(__file__).parents[2] / page[0]).is_file()
        print(f"halted after {time.monotonic() - began:.1f} s: {page[1]}")  # noqa: T201
        await asyncio.to_thread(process.close)
        self.deployment._services.remove(process)
        return page[1]


async def until(reached: Callable[[], Awaitable[bool]], within_s: float, wanted: str) -> None:
    deadline = time.monotonic() + within_s
    while not await reached():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {wanted}"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def shop_on(kafka: ApacheKafka, valkey: Valkey) -> AsyncIterator[Shop]:
    endpoint = KafkaEndpoint(kafka.bootstrap_servers, kafka.name, True, 6)
    async with deployed(endpoint, RedisEndpoint(valkey.url, valkey.name)) as deployment:
        redis = connect(valkey.url)
        try:
            yield Shop(deployment, redis)
        finally:
            await redis.aclose()


@pytest.fixture
async def shop(apache_kafka: ApacheKafka, valkey: Valkey) -> AsyncIterator[Shop]:
    """Eighty events counted, and a worker that waits for more."""
    async with shop_on(apache_kafka, valkey) as made:
        await made.send(80, "a")
        await made.start()
        await made.counted(80)
        yield made


@asynccontextmanager
async def admin_of(shop: Shop) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=shop.deployment.settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def make_anew(shop: Shop) -> None:
    places = await partitions_of(shop.deployment.settings.kafka_bootstrap_servers, shop.topic)
    async with admin_of(shop) as admin:
        await admin.delete_topics([shop.topic])
        new = NewTopic(
            shop.topic,
            len(places),
            1,
            topic_configs={"message.timestamp.type": "CreateTime", "retention.ms": "-1"},
        )

        async def made() -> bool:
            [(_, code, _)] = (await admin.create_topics([new])).topic_errors
            assert code == 0 or for_code(code) is TopicAlreadyExistsError  # still being deleted
            return bool(code == 0)

        await until(made, PATIENCE_S, "the topic once more")


async def test_a_topic_made_anew_and_its_new_epoch(shop: Shop) -> None:
    before = await shop.counts()
    await make_anew(shop)
    assert await shop.halted() in ("topic-recreated-or-truncated.md", "witness-mismatch.md")
    assert await shop.counts() == before

    await shop.send(400, "b")  # past every fence: offsets alone would show nothing
    await shop.start()
    assert await shop.halted() == "witness-mismatch.md"
    assert await shop.counts() == before

    assert await bump_epoch(shop.redis, shop.keys, DEFAULT_SLOTS) == "1"
    await shop.start()
    await shop.counted(480)


async def test_a_topic_made_anew_and_filled_at_once(shop: Shop) -> None:
    """More in each partition than was counted, before anyone looks."""
    before = await shop.counts()
    await make_anew(shop)
    await shop.send(400, "b")
    assert await shop.halted() in ("topic-recreated-or-truncated.md", "witness-mismatch.md")
    assert await shop.counts() == before


async def test_records_deleted_past_a_worker_that_runs(shop: Shop) -> None:
    assert shop.recommender is not None
    os.kill(shop.recommender.pid, signal.SIGSTOP)  # what it has not read is deleted
    await shop.send(80, "b")
    async with admin_of(shop) as admin:
        await admin.delete_records(
            {
                TopicPartition(shop.topic, number): RecordsToDelete(before_offset=end)
                for number, end in shop.ends.items()
            }
        )
    os.kill(shop.recommender.pid, signal.SIGCONT)
    await shop.halted()
    assert "retention-passed.md" in shop.told, shop.told[-2000:]
    # What the broker had sent before the deletion counts, and nothing else.
    counted = sum((await shop.counts()).values())
    assert 80 <= counted < 160

    await bump_epoch(shop.redis, shop.keys, DEFAULT_SLOTS)
    settings = RecommenderSettings(**shop.deployment.settings.model_dump())
    topic = settings.topic(EVENTS)
    state = State(shop.redis, shop.keys, DEFAULT_SLOTS, topic)
    await begin_at(settings.brokers, state, "earliest")
    await shop.start()
    await shop.send(16, "c")
    await shop.counted(counted + 16)


async def test_an_eviction_policy_that_drops_counts(apache_kafka: ApacheKafka) -> None:
    with Valkey() as own:  # others share the usual one
        async with shop_on(apache_kafka, own) as shop:
            await shop.send(40, "a")
            await shop.start()
            await shop.counted(40)
            before = await shop.counts()
            await shop.redis.config_set("maxmemory-policy", "allkeys-lru")
            assert await shop.halted() == "eviction-policy.md"
            assert await shop.counts() == before


async def test_another_witness_than_the_log_has(shop: Shop) -> None:
    """As after a record was changed in place: only the hash shows it."""
    assert shop.recommender is not None
    await asyncio.to_thread(shop.recommender.close)
    shop.deployment._services.remove(shop.recommender)
    before = await shop.counts()
    number, end = next(iter(shop.ends.items()))
    name = f"w:{field_of('0', shop.topic, number)}"
    for slot in range(DEFAULT_SLOTS):
        await shop.redis.hset(shop.keys.fences(slot), name, f"{end - 1}:0123456789abcdef")
    await shop.start()
    assert await shop.halted() == "witness-mismatch.md"
    assert await shop.counts() == before
