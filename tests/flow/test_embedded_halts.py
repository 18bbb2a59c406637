"""The embedded broker forgets all its records when it starts again: a topic made anew, with end
offsets that can't be believed. The recommender stops, and what was counted stays."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
from tests.live.test_halts import Shop

from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import deployed
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.setup import set_up
from millstream.stores.epoch import bump_epoch
from millstream.stores.redis import DEFAULT_SLOTS, connect


@pytest.fixture
async def own(valkey: Valkey) -> AsyncIterator[tuple[Tansu, Shop]]:
    with Tansu() as broker:
        endpoint = KafkaEndpoint(broker.bootstrap_servers, broker.name, False, 10)
        async with deployed(endpoint, RedisEndpoint(valkey.url, valkey.name)) as deployment:
            redis = connect(valkey.url)
            yield broker, Shop(deployment, redis)
            await redis.aclose()


async def test_a_broker_that_forgot_its_records(own: tuple[Tansu, Shop]) -> None:
    broker, shop = own
    await shop.send(80, "a")
    await shop.start()
    await shop.counted(80)
    before = await shop.counts()

    # Tansu makes a topic that a client asks for, with a number of partitions of its own: the worker
    # sleeps until ours are there.
    assert shop.recommender is not None
    os.kill(shop.recommender.pid, signal.SIGSTOP)
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)
    await set_up(shop.deployment.settings, slots=DEFAULT_SLOTS, replay=True, partitions=None)
    os.kill(shop.recommender.pid, signal.SIGCONT)
    await shop.send(400, "b")
    assert await shop.halted() in (
        "topic-recreated-or-truncated.md",
        "witness-mismatch.md",
    )
    assert await shop.counts() == before

    await bump_epoch(shop.redis, shop.keys, DEFAULT_SLOTS)
    await shop.start()
    await shop.counted(480)
