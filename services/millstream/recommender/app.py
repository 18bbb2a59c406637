"""Faust at the door: each fetch is handed to the worker."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import NoReturn

import structlog

from millstream.domain.failpoints import failpoint
from millstream.domain.log import Partition
from millstream.recommender.settings import RecommenderSettings
from millstream.recommender.wiring import Running, reach, running
from millstream.recommender.worker import Worker
from millstream.streaming.chunks import Chunk, LogBounds
from millstream.streaming.topics import EVENTS
from millstream.streaming.transport.service import Run, ServiceApp, run_service

log = structlog.get_logger()

WATERMARK_SECONDS = 1.0
STOP_SECONDS = 5.0
"""What is in work at SIGTERM has so long to get its lists out."""

GC_THRESHOLDS = (5_000, 20, 80)
"""A chunk makes thousands of objects and no cycles; Python's own 700 looks at them again and again,
and at some 50,000 fetched records with them. With 20,000 each look stopped everything for 25 ms."""
SWITCH_SECONDS = 0.0005
"""The consumer's thread unpacks records while ours waits for Redis; Python's own 5 ms until a
thread with work gets its turn are a third of what a chunk takes."""


class RecommenderApp(ServiceApp):
    def __init__(self, settings: RecommenderSettings) -> None:
        self._settings = settings
        self._running: Running | None = None
        super().__init__(
            "recommender",
            group=settings.topic(settings.group),
            source=settings.topic(EVENTS),
            brokers=settings.brokers,
            session_timeout_s=settings.session_timeout_seconds,
        )

    @property
    def worker(self) -> Worker:
        if self._running is None:
            raise RuntimeError("the app has not started")
        return self._running.worker

    async def started_behind(self, behind: AsyncExitStack) -> Sequence[Run]:
        self._running = await behind.enter_async_context(running(self._settings, self.assigned))
        return (
            *self._running.beside,
            lambda: self.worker.run(self.rewind),
            self._commit_watermarks,
        )

    async def positions(self, bounds: Mapping[Partition, LogBounds]) -> Mapping[Partition, int]:
        return await self.worker.resume(bounds)

    async def take(self, chunks: Sequence[Chunk]) -> None:
        failpoint("after-poll")
        await self.worker.deliver(chunks)

    async def settled(self) -> None:
        if self._running is not None:
            await self._running.worker.stop(STOP_SECONDS)

    def assigned(self) -> set[Partition]:
        return {(tp.topic, tp.partition) for tp in self.consumer.assignment()}

    def released(self) -> None:
        if self._running is not None:
            self._running.worker.release()

    def connection_lost(self) -> None:
        if self._running is not None:
            self._running.worker.doubt()

    async def _commit_watermarks(self) -> None:
        """The group's offsets say how far the lists are out: for a successor, and for lag."""
        committed: dict[tuple[str, int], int] = {}
        while True:
            await asyncio.sleep(WATERMARK_SECONDS)
            now = self.worker.watermark()
            moved = {tp: to for tp, to in now.items() if committed.get(tp) != to}
            failpoint("before-commit")
            if moved and await self.commit_watermark(moved, self.worker.epoch):
                committed |= moved
                failpoint("after-commit")


def run(settings: RecommenderSettings) -> NoReturn:
    """As transport.service.run_service."""
    asyncio.run(reach(settings))
    app = RecommenderApp(settings)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_SECONDS)
    run_service(app, lambda why: log.error("recommender stopped", why=why))
