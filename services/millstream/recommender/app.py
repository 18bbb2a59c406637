"""Faust at the door: the agent hands each chunk to the worker."""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import AsyncExitStack
from typing import Any, NoReturn

import faust
import structlog

from millstream.domain.errors import Halt, OperatorError
from millstream.domain.failpoints import failpoint
from millstream.domain.log import Partition
from millstream.recommender.settings import RecommenderSettings
from millstream.recommender.wiring import Running, reach, running
from millstream.recommender.worker import Worker
from millstream.streaming.telemetry import AT_WORK
from millstream.streaming.topics import EVENTS
from millstream.streaming.transport.app import ChunkApp
from millstream.streaming.transport.preconditions import require_wiring
from millstream.streaming.transport.way_out import leave_in_time

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


class RecommenderApp(ChunkApp):
    """Starts what stands behind the pipeline before Faust joins the group."""

    def __init__(self, settings: RecommenderSettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._running: Running | None = None
        self._stopping = False
        super().__init__(
            group=settings.topic(settings.group),
            source=settings.topic(EVENTS),
            brokers=settings.brokers,
            resume=self._resume,
            session_timeout_s=settings.session_timeout_seconds,
        )

    @property
    def running(self) -> Running:
        if self._running is None:
            raise RuntimeError("the app has not started")
        return self._running

    @property
    def worker(self) -> Worker:
        return self.running.worker

    async def on_first_start(self) -> None:
        try:
            self._running = await self._stack.enter_async_context(
                running(self._settings, self.assigned)
            )
        except (Halt, OperatorError) as error:
            self.stopped_by = error
            raise
        await super().on_first_start()

    async def on_started(self) -> None:
        await super().on_started()
        for run in self.running.beside:
            self.add_future(self._guarded(run()))
        self.add_future(self._guarded(self.worker.run(self.rewind)))
        self.add_future(self._guarded(self._commit_watermarks()))
        AT_WORK.set(1)

    async def on_stop(self) -> None:
        await super().on_stop()
        self._stopping = True
        if self._running is not None:
            await self._running.worker.stop(STOP_SECONDS)
        await self._stack.aclose()

    def assigned(self) -> set[Partition]:
        return {(tp.topic, tp.partition) for tp in self.consumer.assignment()}

    def released(self) -> None:
        if self._running is not None:
            self._running.worker.release()

    def connection_lost(self) -> None:
        if self._running is not None:
            self._running.worker.doubt()

    async def _resume(self, bounds: Any) -> Any:
        try:
            return await self.worker.resume(bounds)
        except Exception as error:
            # Faust would only log it and read on from where it likes.
            self.stopped_by = error
            await self.crash(error)
            raise

    async def _guarded(self, run: Any) -> None:
        try:
            await run
        except Exception as error:
            if self._stopping:  # what it stood on is closed; it began nothing that must not be lost
                return
            self.stopped_by = error
            raise

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


def build(settings: RecommenderSettings) -> RecommenderApp:
    app = RecommenderApp(settings)

    @app.agent(app.chunks(), name="recommender", use_reply_headers=False)
    async def recommend(fetches: Any) -> None:
        try:
            async for chunks in fetches:
                failpoint("after-poll")
                await app.worker.deliver(chunks)
        except Exception as error:
            app.stopped_by = error
            raise

    return app


def run(settings: RecommenderSettings) -> NoReturn:
    """Until SIGTERM or SIGINT. Raises OperatorError; exits with 0, or with 70 and the reason where
    going on would lose or double something; a supervisor outside starts it again."""
    asyncio.run(reach(settings))
    app = build(settings)
    require_wiring(app)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_SECONDS)
    leave_in_time(lambda: app.stopped_by is not None or app.should_stop)
    worker = faust.Worker(app, quiet=True, redirect_stdouts=False, override_logging=False)
    try:
        worker.execute_from_commandline()
    except SystemExit as exit_:
        if isinstance(app.stopped_by, OperatorError):
            raise app.stopped_by from None
        if app.stopped_by is not None:
            log.error("recommender stopped", why=str(app.stopped_by))
            raise SystemExit(70) from app.stopped_by
        raise SystemExit(exit_.code) from None
