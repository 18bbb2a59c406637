"""A rebuild on Apache Kafka: retention that took the log's beginning, processes that die, and the
way from a Redis that lost all under a recommender to one that counts on."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from tests.builders import event
from tests.commands import ran_as_users_do
from tests.counted import Counted, counted, near
from tests.live.test_halts import Shop, shop_on, until

from millstream.cli import HALTED, WRONG_SETTING
from millstream.domain.clock import wall_clock
from millstream.domain.identity import record_key
from millstream.local.kafka import ApacheKafka
from millstream.local.recount import compare, recount_topic
from millstream.local.valkey import Valkey
from millstream.stores.feature_store import FeatureStore
from millstream.stores.inventory import item_counts, shopper_counts
from millstream.stores.lake import offsets
from millstream.stores.redis import DEFAULT_SLOTS
from millstream.streaming.producer import producer_for

pytestmark = pytest.mark.live

PATIENCE_S = 60.0
EVENTS = 600
MANY = 20_000
"""Several chunks for each of two processes."""


@pytest.fixture
async def shop(apache_kafka: ApacheKafka, valkey: Valkey) -> AsyncIterator[Shop]:
    async with shop_on(apache_kafka, valkey) as made:
        yield made


async def rebuild(shop: Shop, *words: str, code: int = 0, **variables: str) -> Any:
    """The outcome; where it failed, its words."""
    given = {**shop.deployment._variables, **variables}
    done = await ran_as_users_do("rebuild", "--json", *words, **given)
    assert done.code == code, done.err
    return done.err if code else json.loads(done.out)


async def wipe(shop: Shop) -> None:
    async for key in shop.redis.scan_iter(f"{shop.keys.prefix}*", count=1000):
        await shop.redis.unlink(key)


async def standing(shop: Shop) -> Counted:
    return await counted(shop.redis, shop.keys, DEFAULT_SLOTS)


async def assert_same(shop: Shop, before: Counted) -> None:
    found = await standing(shop)
    wanted = near(before.features)
    assert found.features.keys() == wanted.keys()
    for name, held in found.features.items():
        assert held == wanted[name]
    assert (found.ids, found.items, found.totals) == (before.ids, before.items, before.items)


async def assert_exact(shop: Shop, lines: int) -> None:
    """By a recount of the whole topic."""
    servers = shop.deployment.settings.kafka_bootstrap_servers
    recount = await recount_topic(servers, shop.topic, shop.ends)
    users = await shopper_counts(shop.redis, shop.keys, DEFAULT_SLOTS)
    items = await item_counts(shop.redis, shop.keys, DEFAULT_SLOTS)
    verdict = compare(recount, users, items)
    assert (verdict.accepted, verdict.lost, verdict.doubled) == (sum(shop.ends.values()), 0, 0)
    assert (verdict.lost_lines, verdict.doubled_lines) == (0, 0)
    ledger = await FeatureStore(shop.redis, shop.keys, DEFAULT_SLOTS, 12).ledger()
    assert {name: n for name, n in ledger.items() if n} == {"acc": lines, "itm": lines}


async def delete_before(shop: Shop, part: float) -> dict[int, int]:
    """Moves the start of each partition to that part of its end; returns the starts."""
    servers = shop.deployment.settings.kafka_bootstrap_servers
    starts = {partition: int(end * part) for partition, end in shop.ends.items()}
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.delete_records(
            {
                TopicPartition(shop.topic, partition): RecordsToDelete(before_offset=start)
                for partition, start in starts.items()
            }
        )
    finally:
        await admin.close()
    return starts


async def test_the_lake_gives_what_retention_took(shop: Shop) -> None:
    lake = await shop.deployment.start("lake", lake_flush_seconds=0.2)
    await shop.send(EVENTS, "a")
    await shop.start()
    await shop.counted(EVENTS)

    async def stored() -> bool:
        return offsets(shop.deployment.settings.lake_dir, shop.topic) == {
            number: shop.ends.get(number, 0) for number in shop.ends
        }

    await until(stored, PATIENCE_S, "all in the lake")
    before = await standing(shop)
    told = await rebuild(shop, "--wipe", "--yes", code=WRONG_SETTING)
    assert "Stop the recommenders" in told
    recommender = shop.recommender
    assert recommender is not None
    await asyncio.to_thread(recommender.stop)
    await asyncio.to_thread(lake.stop)
    taken = await delete_before(shop, 0.6)

    await wipe(shop)
    outcome = await rebuild(shop)
    assert (outcome["events"], outcome["residue"]) == (EVENTS, 0)
    assert outcome["from_lake"] == sum(taken.values()) > 0
    await assert_same(shop, before)
    assert "they would be counted on top of" in await rebuild(shop, code=WRONG_SETTING)

    # Without the lake it says what is missing, and counts nothing.
    await wipe(shop)
    elsewhere = str(shop.deployment.settings.lake_dir / "nowhere")
    told = await rebuild(shop, code=HALTED, MILLSTREAM_LAKE_DIR=elsewhere)
    first = min(number for number, start in taken.items() if start)
    assert f"offsets 0 to {taken[first] - 1} of partition {first}" in told
    ledger = await FeatureStore(shop.redis, shop.keys, DEFAULT_SLOTS, 12).ledger()
    assert not any(ledger.values())


@pytest.mark.parametrize("processes", ["1", "2"])
async def test_killed_in_the_middle_it_goes_on(shop: Shop, processes: str) -> None:
    """One process: the command itself is killed; two: one of those that it started."""
    await send_many(shop)
    words = ("--processes", processes, "--resume")
    code = -signal.SIGKILL if processes == "1" else WRONG_SETTING
    why = await rebuild(shop, *words, code=code, MILLSTREAM_FAILPOINT="rebuild-counted:2")
    assert processes == "1" or "millstream rebuild --resume" in why
    store = FeatureStore(shop.redis, shop.keys, DEFAULT_SLOTS, 12)
    assert 0 < (await store.ledger())["acc"] < MANY
    outcome = await rebuild(shop, *words)
    assert 0 < outcome["events"] < MANY
    assert outcome["residue"] == 0
    await assert_exact(shop, MANY)


async def test_from_a_redis_that_lost_all_under_a_recommender_to_one_that_counts_on(
    shop: Shop,
) -> None:
    await shop.send(80, "a")
    await shop.start()
    await shop.counted(80)
    wiping = shop.redis.pipeline()  # one transaction: a server that came back with nothing
    wiping.flushall()
    wiping.function_flush()
    await wiping.execute()
    await shop.send(40, "b")
    assert await shop.halted() == "redis-wiped.md"
    await shop.start()
    assert await shop.halted() == "redis-wiped.md", "it began anew by itself"

    outcome = await rebuild(shop)
    assert (outcome["events"], outcome["residue"]) == (120, 0)
    await shop.start()
    await shop.send(40, "c")
    await shop.counted(160)
    await assert_exact(shop, 160)


async def send_many(shop: Shop) -> None:
    now = wall_clock()
    async with producer_for(shop.deployment.settings, "test") as producer:
        made = [event(f"e{n}", f"u{n % 500}", f"i{n % 50}", at_ms=now) for n in range(MANY)]
        futures = [
            await producer.send(
                shop.topic, msgspec.json.encode(what), record_key(what.tenant, what.shopper)
            )
            for what in made
        ]
        for at in await asyncio.gather(*futures):
            shop.ends[at.partition] = max(shop.ends.get(at.partition, 0), at.offset + 1)
