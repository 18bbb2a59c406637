"""Faust at the door: the agent hands what buyers wrote to the judging of reviews; the counting of
verdicts and the forecasts go on beside it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, NoReturn

import faust
import structlog

from millstream.domain.errors import Halt, OperatorError
from millstream.insights.reviews.wiring import Reviewing, reviewing
from millstream.insights.settings import InsightsSettings
from millstream.insights.wiring import forecasting, opened_producer
from millstream.streaming.telemetry import AT_WORK
from millstream.streaming.topics import REVIEWS
from millstream.streaming.transport.app import ChunkApp
from millstream.streaming.transport.preconditions import require_wiring
from millstream.streaming.transport.way_out import leave_in_time

SESSION_TIMEOUT_S = 10.0

log = structlog.get_logger()


class InsightsApp(ChunkApp):
    """Starts what stands behind the pipelines before Faust joins the group."""

    def __init__(self, settings: InsightsSettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._reviewing: Reviewing | None = None
        self._stop_forecasts = asyncio.Event()
        self._stopping = False
        super().__init__(
            group=settings.topic(settings.insights_group),
            source=settings.topic(REVIEWS),
            brokers=settings.brokers,
            resume=self._resume,
            session_timeout_s=SESSION_TIMEOUT_S,
        )

    @property
    def reviewing(self) -> Reviewing:
        if self._reviewing is None:
            raise RuntimeError("the app has not started")
        return self._reviewing

    async def on_first_start(self) -> None:
        stack, settings = self._stack, self._settings
        try:
            producer = await opened_producer(stack, settings)
            self._reviewing = await stack.enter_async_context(
                reviewing(settings, producer, producer)
            )
            self._beside = list(self._reviewing.beside)
            if settings.insights_demand:
                self._beside.append(
                    await forecasting(stack, settings, producer, self._stop_forecasts)
                )
        except (Halt, OperatorError) as error:
            self.stopped_by = error
            raise
        await super().on_first_start()

    async def on_started(self) -> None:
        await super().on_started()
        for run in self._beside:
            self.add_future(self._guarded(run()))
        AT_WORK.set(1)

    async def on_stop(self) -> None:
        await super().on_stop()
        self._stopping = True
        self._stop_forecasts.set()
        await self._stack.aclose()

    async def judge(self, chunks: Any) -> None:
        await self.reviewing.reader.handle(chunks, self.rewind, self.commit_watermark)

    async def _resume(self, bounds: Any) -> Any:
        try:
            return await self.reviewing.reader.resume(bounds)
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


def build(settings: InsightsSettings) -> InsightsApp:
    app = InsightsApp(settings)

    @app.agent(app.chunks(), name="reviews", use_reply_headers=False)
    async def judge(fetches: Any) -> None:
        try:
            async for chunks in fetches:
                await app.judge(chunks)
        except Exception as error:
            app.stopped_by = error
            raise

    return app


def run(settings: InsightsSettings) -> NoReturn:
    """Until SIGTERM or SIGINT. Raises OperatorError; exits with 0, or with 70 and the reason where
    going on would lose or double something; a supervisor outside starts it again."""
    app = build(settings)
    require_wiring(app)
    leave_in_time(lambda: app.stopped_by is not None or app.should_stop)
    worker = faust.Worker(app, quiet=True, redirect_stdouts=False, override_logging=False)
    try:
        worker.execute_from_commandline()
    except SystemExit as exit_:
        if isinstance(app.stopped_by, OperatorError):
            raise app.stopped_by from None
        if app.stopped_by is not None:
            log.error("insights stopped", why=str(app.stopped_by))
            raise SystemExit(70) from app.stopped_by
        raise SystemExit(exit_.code) from None
