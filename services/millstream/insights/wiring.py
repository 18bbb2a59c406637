"""Builds insights from its settings; runs it where there are no reviews (else app.py does)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import polars as pl
from aiokafka import AIOKafkaProducer

from millstream.domain.clock import wall_clock
from millstream.domain.errors import OperatorError
from millstream.insights.pipeline import COLUMNS, Stages
from millstream.insights.pipeline import run as run_pipeline
from millstream.insights.settings import InsightsSettings
from millstream.model.signing import letters_judged_by
from millstream.stores.demand_book import DemandBook
from millstream.stores.lake.accepted import read_accepted
from millstream.streaming.followers import follow, read_to_its_end
from millstream.streaming.producer import producer_for
from millstream.streaming.replayed import signed_origins
from millstream.streaming.starting import started
from millstream.streaming.stopping import signals_set
from millstream.streaming.telemetry import AT_WORK
from millstream.streaming.topics import DEMAND, EVENTS

CATCH_UP_S = 30.0


@dataclass(frozen=True, slots=True)
class StoredLake:
    """Implements pipeline.Lake over the lake's files."""

    settings: InsightsSettings

    def accepted(self) -> pl.DataFrame:
        settings = self.settings
        origins = signed_origins(*letters_judged_by(settings.keys_dir))
        topic = settings.topic(EVENTS)
        return read_accepted(settings.lake_dir, topic, settings.tenant, None, origins, COLUMNS)


async def run(settings: InsightsSettings, stop: asyncio.Event | None = None) -> None:
    """Demand alone, until SIGTERM, SIGINT or `stop`. Raises OperatorError: a server away, a topic
    missing, nothing to do."""
    if not settings.insights_demand:
        raise OperatorError(
            "settings MILLSTREAM_INSIGHTS_DEMAND and MILLSTREAM_INSIGHTS_REVIEWS",
            "false for both",
            "true for one at least",
        )
    stop = stop or asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.enter_context(signals_set(stop))
        beside = await forecasting(stack, settings, await opened_producer(stack, settings), stop)
        AT_WORK.set(1)
        await beside()


async def opened_producer(stack: AsyncExitStack, settings: InsightsSettings) -> AIOKafkaProducer:
    producer = producer_for(settings, "millstream-insights")
    stack.push_async_callback(producer.stop)
    await started(producer, settings.brokers)
    return producer


async def forecasting(
    stack: AsyncExitStack,
    settings: InsightsSettings,
    producer: AIOKafkaProducer,
    stop: asyncio.Event,
) -> Callable[[], Awaitable[None]]:
    """What forecasts demand until `stop`."""
    topic, book = settings.topic(DEMAND), DemandBook()
    told = follow(settings.brokers, topic, lambda record: book.take(record.key, record.value))
    await read_to_its_end(told, settings.brokers, topic, CATCH_UP_S, "all that was told")
    stack.push_async_callback(told.close)
    stages = Stages(
        settings.tenant,
        StoredLake(settings),
        partial(book.items, settings.tenant),
        producer,
        topic,
        wall_clock,
    )
    return lambda: run_pipeline(stages, settings.insights_every_hours * 3600, stop)
