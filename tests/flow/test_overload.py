"""More events than a worker can answer: lists are given up, the oldest first, and no count is."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from redis.asyncio import Redis
from tests.builders import event
from tests.flow.recounted import assert_exact, ledger_of

from millstream.domain.clock import wall_clock
from millstream.domain.identity import record_key
from millstream.domain.lists import RecommendationList
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, deployed
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.stores.redis import connect
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS

PATIENCE_S = 100.0
SHOPPERS = 200
BATCH = 500
FRESH_S = 2
BEHIND_S = 4 * FRESH_S
PORTION = 10
"""Events handled at once: so few make the worker slow, and a stretch without a list telling."""
LIST = msgspec.json.Decoder(RecommendationList)


@dataclass
class Shop:
    deployment: Deployment
    producer: AIOKafkaProducer
    redis: Redis
    ends: Counter[int] = field(default_factory=Counter)
    sent_at: list[float] = field(default_factory=list)
    """Of each batch."""

    async def send(self, users: list[str]) -> dict[str, int]:
        """The offset of each user's last event."""
        topic = self.deployment.settings.topic(EVENTS)
        waiting = []
        for number, user in enumerate(users):
            what = event(
                f"e{len(self.sent_at)}-{number}", user, f"i{number % 50}", at_ms=wall_clock()
            )
            value, key = msgspec.json.encode(what), record_key("default", user)
            waiting.append(await self.producer.send(topic, value, key))
        self.sent_at.append(time.monotonic())
        places = await asyncio.gather(*waiting)
        for at in places:
            self.ends[at.partition] = max(self.ends[at.partition], at.offset + 1)
        return {user: at.offset for user, at in zip(users, places, strict=True)}

    async def accepted(self) -> int:
        self.deployment.raise_dead()
        return (await ledger_of(self.deployment, self.redis, self.ends))["acc"]

    async def overload(self) -> None:
        """Sends until the worker is BEHIND_S behind."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            await self.send([f"u{number % SHOPPERS}" for number in range(BATCH)])
            handled = await self.accepted() // BATCH
            if time.monotonic() - self.sent_at[min(handled, len(self.sent_at) - 1)] > BEHIND_S:
                return
            assert time.monotonic() < deadline, "the worker keeps up with all that we can send"

    async def drained(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self.accepted() < self.ends.total():  # noqa: ASYNC110  told by Redis
                await asyncio.sleep(0.1)


@pytest.fixture
async def shop(tansu: Tansu, valkey: Valkey) -> AsyncIterator[Shop]:
    servers = tansu.bootstrap_servers
    kafka = KafkaEndpoint(servers, tansu.name, False, 10)
    redis = connect(valkey.url)
    async with (
        deployed(kafka, RedisEndpoint(valkey.url, valkey.name)) as deployment,
        AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=False) as producer,
    ):
        yield Shop(deployment, producer, redis)
    await redis.aclose()


async def lists_up_to(shop: Shop, last: dict[str, int]) -> list[RecommendationList]:
    """All lists, up to each shopper's for the event at the offset in `last`."""
    consumer = AIOKafkaConsumer(
        shop.deployment.settings.topic(RECOMMENDATIONS),
        bootstrap_servers=shop.deployment.kafka.bootstrap_servers,
        auto_offset_reset="earliest",
    )
    found: list[RecommendationList] = []
    waiting = set(last)
    async with consumer, asyncio.timeout(PATIENCE_S):
        while waiting:
            made = LIST.decode((await consumer.getone()).value)
            found.append(made)
            if made.origin.offset >= last[made.user]:
                waiting.discard(made.user)
    return found


def longest_silence(ends: Counter[int], lists: list[RecommendationList]) -> int:
    """Of one partition, the most events in a row of which none was answered."""
    answered: dict[int, set[int]] = defaultdict(set)
    for made in lists:
        answered[made.origin.partition].add(made.origin.offset)
    longest = 0
    for partition, end in ends.items():
        places = [-1, *sorted(answered[partition]), end]
        longest = max(longest, *(b - a - 1 for a, b in pairwise(places)))
    return longest


async def test_lists_are_given_up_oldest_first_and_counts_stay_exact(shop: Shop) -> None:
    await shop.deployment.start("recommender", freshness_seconds=FRESH_S, chunk_events=PORTION)
    await shop.deployment.recommender_ready()
    await shop.overload()
    await shop.drained()
    flood = shop.ends.total()
    everyone = [f"u{number}" for number in range(SHOPPERS)]
    calm = await shop.send(everyone)
    await shop.drained()
    await assert_exact(shop.deployment, shop.redis, shop.ends)

    lists = await lists_up_to(shop, calm)
    assert len(lists) < flood, "coalesced, and given up"
    by_user: dict[str, list[RecommendationList]] = defaultdict(list)
    for made in lists:
        by_user[made.user].append(made)
    assert by_user.keys() == set(everyone), "after the storm all are served again"
    for made_for in by_user.values():
        order = [made.freshness for made in made_for]
        assert order == sorted(set(order)), "never an older list after a newer one"
    silence = longest_silence(shop.ends, lists)
    assert silence > 20 * PORTION, "of each portion that is fresh some shopper is answered"
    oldest = max(made.published_at - made.log_time for made in lists)
    assert oldest < timedelta(seconds=BEHIND_S / 2 + 1), "what is late already makes nobody wait"
    print(  # noqa: T201
        f"{flood} events, {len(lists)} lists, {silence} events in a row without one, "
        f"oldest answered {oldest.total_seconds():.1f} s"
    )
