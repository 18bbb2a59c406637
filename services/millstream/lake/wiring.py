"""Builds the lake service from its settings and runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from millstream.domain.clock import wall_clock
from millstream.domain.erasures import Read
from millstream.lake import telemetry
from millstream.lake.buffer import Buffer, Limits
from millstream.lake.log import KafkaLog
from millstream.lake.pipeline import run_pipeline
from millstream.lake.settings import LakeSettings
from millstream.privacy.following import ErasureFollower
from millstream.privacy.places import KEPT
from millstream.stores.lake import LakeWriter
from millstream.streaming.access import access
from millstream.streaming.header_names import read_any_header_name
from millstream.streaming.starting import started
from millstream.streaming.stopping import signals_set
from millstream.streaming.topics import ERASURES

# A question to a silent cluster must not outlast the ten seconds in which we end on SIGTERM.
REQUEST_TIMEOUT_MS = 8000


async def run(settings: LakeSettings, stop: asyncio.Event | None = None) -> None:
    """Until SIGTERM, SIGINT or `stop`; then writes what it has and returns, in a few seconds.

    Raises OperatorError (broker away, topic missing, another lake at work) and Halt. Nothing is
    written before all erasures are known, or what was forgotten could come back."""
    stop = stop or asyncio.Event()
    with LakeWriter(settings.lake_dir) as lake, signals_set(stop):
        keeping = _Keeping(settings, lake, stop)
        tasks = [asyncio.create_task(keeping.keep(*kept)) for kept in KEPT.items()]
        try:
            await asyncio.gather(*tasks)
        finally:
            stop.set()  # where one failed, the other writes what it has
            await asyncio.wait(tasks)


@dataclass(frozen=True, slots=True)
class _Keeping:
    settings: LakeSettings
    lake: LakeWriter
    stop: asyncio.Event

    async def keep(self, topic: str, read: Read) -> None:
        """One topic, until `stop`; its files are apart from any other's."""
        settings = self.settings
        limits = Limits(
            age_ms=round(settings.flush_seconds * 1000),
            records=settings.flush_records,
            bytes=settings.flush_megabytes << 20,
        )
        erasures = ErasureFollower(settings.brokers, settings.topic(ERASURES))
        async with _kafka_log(settings, topic, read) as log, erasures:
            await run_pipeline(log, self.lake, Buffer(limits), erasures, wall_clock, self.stop)
            telemetry.stopped(log.topic)


@asynccontextmanager
async def _kafka_log(settings: LakeSettings, topic: str, read: Read) -> AsyncIterator[KafkaLog]:
    servers = settings.brokers
    read_any_header_name()
    consumer = AIOKafkaConsumer(
        **access(servers),
        group_id=None,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
    )
    admin = AIOKafkaAdminClient(**access(servers), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await started(consumer, servers)
        await started(admin, servers)
        yield KafkaLog(
            consumer,
            admin,
            (settings.topic(topic), read),
            settings.lake_dir,
            begin_at_log_start=settings.new_partition_at == "log-start",
        )
    finally:
        await admin.close()
        await consumer.stop()
