"""What the lake recomputes as accepted is what Redis counted: one rule, two implementations."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import msgspec
from tests.builders import event

from millstream.domain.acceptance import HORIZON_MS
from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.events import Event, EventType
from millstream.domain.identity import record_key
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, deployed
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.stores.feature_store import FeatureStore
from millstream.stores.inventory import item_counts, shopper_counts
from millstream.stores.keys import Keys
from millstream.stores.lake import accepted_counts, offsets
from millstream.stores.redis import DEFAULT_SLOTS, connect
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import EVENTS

DEADLINE_S = 40


async def test_lake_and_redis_accept_the_same(tansu: Tansu, valkey: Valkey) -> None:
    kafka = KafkaEndpoint(tansu.bootstrap_servers, tansu.name, False, 10)
    async with deployed(kafka, RedisEndpoint(valkey.url, valkey.name)) as deployment:
        await deployment.start("recommender")
        await deployment.start("lake", lake_flush_seconds=0.2)
        ends = await _send(deployment, _events(wall_clock()))
        settings = deployment.settings
        topic, keys = settings.topic(EVENTS), Keys(settings.redis_prefix)
        redis = connect(settings.redis_url)
        try:
            store = FeatureStore(redis, keys, DEFAULT_SLOTS, 12)
            async with asyncio.timeout(DEADLINE_S):
                while offsets(settings.lake_dir, topic) != ends or await _judged(store) < sum(
                    ends.values()
                ):
                    deployment.raise_dead()
                    await asyncio.sleep(0.1)
            recomputed = accepted_counts(settings.lake_dir, topic)
            ledger = await store.ledger()

            assert sum(recomputed.events.values()) == ledger["acc"]
            assert sum(recomputed.lines.values()) == ledger["itm"]
            assert +recomputed.shoppers == await shopper_counts(redis, keys, DEFAULT_SLOTS)
            assert +recomputed.items == await item_counts(redis, keys, DEFAULT_SLOTS)
            assert ledger["dup"] > 0
            assert ledger["late"] > 0
            assert ledger["era"] > 0
            assert ledger["bad"] > 0
        finally:
            await redis.aclose()


async def _judged(store: FeatureStore) -> int:
    """Records that have a verdict; item lines stand in the same ledger."""
    ledger = await store.ledger()
    return sum(ledger.values()) - ledger["itm"]


def _events(now_ms: int) -> list[tuple[bytes, Event | bytes]]:
    """Views and purchases of 40 shoppers, and among them all that is not accepted. Each event is
    a millisecond apart, so that the order by log time is the order of sending."""
    sent: list[tuple[bytes, Event | bytes]] = []

    def say(what: Event) -> None:
        sent.append((record_key(what.tenant, what.shopper), what))

    for n in range(600):
        kind = EventType.PURCHASE if n % 5 == 0 else EventType.VIEW_ITEM
        items = [f"i{n % 30}", f"i{n % 7}"] if kind is EventType.PURCHASE else [f"i{n % 30}"]
        made = event(f"e{n}", f"u{n % 40}", *items, kind=kind, at_ms=now_ms + n)
        say(made)
        if n % 11 == 0:
            say(made)
        if n % 50 == 0:
            say(msgspec.structs.replace(made, event_id=f"late{n}", time=_days_ago(now_ms)))
            sent.append((b"default:nobody", b"{"))
        if n == 300:
            say(event("erase", "u3", kind=EventType.ERASE, at_ms=now_ms + n))
            say(event("before", "u3", at_ms=now_ms - 1000))
    return sent


def _days_ago(now_ms: int) -> datetime:
    return as_datetime(now_ms - HORIZON_MS) - timedelta(hours=1)


async def _send(
    deployment: Deployment, events: list[tuple[bytes, Event | bytes]]
) -> dict[int, int]:
    """Returns the offset after the last record, per partition of the topic."""
    producer = producer_for(deployment.settings, "test")
    await producer.start()
    ends: dict[int, int] = {}
    start_ms = wall_clock()
    try:
        for n, (key, what) in enumerate(events):
            value = what if isinstance(what, bytes) else msgspec.json.encode(what)
            at = await producer.send_and_wait(
                deployment.settings.topic(EVENTS), value, key, timestamp_ms=start_ms + n
            )
            ends[at.partition] = at.offset + 1
    finally:
        await producer.stop()
    return ends
