"""Verdicts on Apache Kafka counted anew by the command: where retention took the log's beginning,
where it is killed in the middle, and not beside insights that count."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import GroupCoordinatorNotAvailableError
from tests.live.test_halts import Shop, shop_on, until
from tests.live.test_rebuild import rebuild, wipe

from millstream.cli import HALTED, WRONG_SETTING
from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.identity import record_key
from millstream.local.kafka import ApacheKafka
from millstream.local.valkey import Valkey
from millstream.stores.inventory import verdict_counts
from millstream.stores.lake import offsets
from millstream.stores.redis import DEFAULT_SLOTS
from millstream.stores.verdict_store import review_keys
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import REVIEW_VERDICTS

pytestmark = pytest.mark.live

PATIENCE_S = 60.0
VERDICTS = 9_000
"""More than two portions of a rebuild."""


@pytest.fixture
async def shop(apache_kafka: ApacheKafka, valkey: Valkey) -> AsyncIterator[Shop]:
    async with shop_on(apache_kafka, valkey) as made:
        yield made


def made(number: int, now_ms: int) -> dict[str, Any]:
    """Every tenth is a second verdict on the review before it, and says the opposite."""
    again = number % 10 == 9
    of = number - again
    return {
        "review_id": f"r{of}",
        "tenant": "default",
        "user": f"u{of % 700}",
        "item_id": f"i{of % 40}",
        "verdict": "good" if (of % 3 == 0) != again else "bad",
        "probability": 0.5,
        "model_version": "sentiment-v1",
        "time": as_datetime(now_ms).isoformat(),
    }


async def send(shop: Shop, topic: str) -> tuple[dict[int, int], Counter[tuple[str, str, str]]]:
    """The topic's ends, and what the first verdict on each review comes to."""
    ends: dict[int, int] = {}
    said = [made(number, wall_clock()) for number in range(VERDICTS)]
    async with producer_for(shop.deployment.settings, "test") as producer:
        futures = [
            await producer.send(
                topic, json.dumps(one).encode(), record_key(one["tenant"], one["user"])
            )
            for one in said
        ]
        for at in await asyncio.gather(*futures):
            ends[at.partition] = max(ends.get(at.partition, 0), at.offset + 1)
    first = {one["review_id"]: one for one in reversed(said)}  # the earliest stays
    return ends, Counter(("default", one["item_id"], one["verdict"]) for one in first.values())


async def test_verdicts_are_counted_from_lake_and_log_through_a_kill(shop: Shop) -> None:
    settings = shop.deployment.settings
    topic = settings.topic(REVIEW_VERDICTS)
    lake = await shop.deployment.start("lake", lake_flush_seconds=0.2)
    await shop.send(12, "a")
    ends, wanted = await send(shop, topic)

    async def stored() -> bool:
        return offsets(settings.lake_dir, topic) == ends

    await until(stored, PATIENCE_S, "all verdicts in the lake")
    await asyncio.to_thread(lake.stop)
    starts = {partition: int(end * 0.6) for partition, end in ends.items()}
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    await admin.delete_records(
        {TopicPartition(topic, n): RecordsToDelete(before_offset=at) for n, at in starts.items()}
    )
    await admin.close()

    insights = await shop.deployment.start("insights", insights_reviews=True, insights_demand=False)

    async def has_halted() -> bool:
        return not insights.alive

    await until(has_halted, PATIENCE_S, "insights halts: it can't count what is gone")
    assert "retention-passed.md" in insights.log_tail()
    await asyncio.to_thread(insights.close)
    shop.deployment._services.remove(insights)

    await wipe(shop)
    killed = {"MILLSTREAM_FAILPOINT": "rebuild-reviews-counted:1"}
    await rebuild(shop, code=-signal.SIGKILL, **killed)
    outcome = await rebuild(shop, "--resume")
    reviews = outcome["reviews"]
    assert 0 < reviews["verdicts"] < VERDICTS, "it began anew"
    assert reviews["residue"] == 0
    keys = review_keys(settings.redis_prefix)
    assert await verdict_counts(shop.redis, keys, DEFAULT_SLOTS) == wanted
    assert (reviews["ledger"]["acc"], reviews["ledger"]["dup"]) == (
        sum(wanted.values()),
        VERDICTS - sum(wanted.values()),
    )

    whole = (await rebuild(shop, "--wipe", "--yes"))["reviews"]
    assert (whole["verdicts"], whole["from_lake"]) == (VERDICTS, sum(starts.values()))
    assert await verdict_counts(shop.redis, keys, DEFAULT_SLOTS) == wanted

    elsewhere = str(settings.lake_dir / "nowhere")
    told = await rebuild(shop, "--wipe", "--yes", code=HALTED, MILLSTREAM_LAKE_DIR=elsewhere)
    assert "fences init --of reviews" in told


async def test_it_is_not_done_beside_insights_that_count(shop: Shop) -> None:
    settings = shop.deployment.settings
    insights = await shop.deployment.start("insights", insights_reviews=True, insights_demand=False)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()

    async def is_member() -> bool:
        assert insights.alive, insights.log_tail()
        try:
            [answer] = await admin.describe_consumer_groups([settings.topic("millstream-insights")])
        except GroupCoordinatorNotAvailableError:  # before the first group there is none
            return False
        return bool(answer.groups[0][2] == "Stable")

    await until(is_member, PATIENCE_S, "insights is in its group")
    await admin.close()
    assert "Stop the insights" in await rebuild(shop, code=WRONG_SETTING)
