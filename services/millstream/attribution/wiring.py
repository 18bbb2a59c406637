"""Builds attribution from its settings and runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition

from millstream.attribution import telemetry
from millstream.attribution.log import FETCH_MS, TwoTopics
from millstream.attribution.pipeline import Stages
from millstream.attribution.pipeline import run as run_pipeline
from millstream.domain.clock import wall_clock
from millstream.settings import ConnectionSettings
from millstream.stores.attributions import Attributions
from millstream.stores.keys import Keys
from millstream.stores.redis import connected
from millstream.streaming.access import access
from millstream.streaming.header_names import read_any_header_name
from millstream.streaming.starting import started
from millstream.streaming.stopping import signals_set
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS


async def run(settings: ConnectionSettings, stop: asyncio.Event | None = None) -> None:
    """Until SIGTERM, SIGINT or `stop`. Raises OperatorError (a server away, a topic missing) and
    Halt (another one at work, the log passed us)."""
    stop = stop or asyncio.Event()
    redis = await connected(settings.redis_url)
    try:
        store = Attributions(redis, Keys(settings.redis_prefix))
        with signals_set(stop):
            async with _log(settings, store) as log:
                telemetry.started()
                await run_pipeline(Stages(log, store, wall_clock), stop)
    finally:
        await redis.aclose()


@asynccontextmanager
async def _log(settings: ConnectionSettings, store: Attributions) -> AsyncIterator[TwoTopics]:
    servers, topics = settings.brokers, (settings.topic(RECOMMENDATIONS), settings.topic(EVENTS))
    read_any_header_name()
    consumer = AIOKafkaConsumer(
        **access(servers),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        fetch_max_wait_ms=FETCH_MS,
    )
    await started(consumer, servers)
    try:
        numbers = [place.partition for place in await partitions_of(servers, topics[1])]
        begin = await _beginnings(consumer, topics, numbers)
        positions = {number: await store.positions(number) or begin[number] for number in numbers}
        yield TwoTopics(consumer, *topics, positions)
    finally:
        await consumer.stop()


async def _beginnings(
    consumer: AIOKafkaConsumer, topics: tuple[str, str], numbers: list[int]
) -> Mapping[int, tuple[int, int]]:
    """Where nothing was handled yet: all that the log still has."""
    places = [TopicPartition(topic, number) for topic in topics for number in numbers]
    found = await consumer.beginning_offsets(places)
    lists, events = topics
    return {
        number: (found[TopicPartition(lists, number)], found[TopicPartition(events, number)])
        for number in numbers
    }
