"""Faust at the door: what buyers wrote is handed to the judging of reviews; the counting of
verdicts and the forecasts go on beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import NoReturn

import structlog

from millstream.domain.log import Partition
from millstream.insights.reviews.wiring import Reviewing, reviewing
from millstream.insights.settings import InsightsSettings
from millstream.insights.wiring import forecasting, opened_producer
from millstream.streaming.chunks import Chunk, LogBounds
from millstream.streaming.topics import REVIEWS
from millstream.streaming.transport.service import Run, ServiceApp, run_service

SESSION_TIMEOUT_S = 10.0

log = structlog.get_logger()


class InsightsApp(ServiceApp):
    def __init__(self, settings: InsightsSettings) -> None:
        self._settings = settings
        self._reviewing: Reviewing | None = None
        self._stop_forecasts = asyncio.Event()
        super().__init__(
            "reviews",
            group=settings.topic(settings.insights_group),
            source=settings.topic(REVIEWS),
            brokers=settings.brokers,
            session_timeout_s=SESSION_TIMEOUT_S,
        )

    @property
    def reviewing(self) -> Reviewing:
        if self._reviewing is None:
            raise RuntimeError("the app has not started")
        return self._reviewing

    async def started_behind(self, behind: AsyncExitStack) -> Sequence[Run]:
        settings = self._settings
        producer = await opened_producer(behind, settings)
        self._reviewing = await behind.enter_async_context(reviewing(settings, producer, producer))
        if not settings.insights_demand:
            return self._reviewing.beside
        forecasts = await forecasting(behind, settings, producer, self._stop_forecasts)
        return (*self._reviewing.beside, forecasts)

    async def positions(self, bounds: Mapping[Partition, LogBounds]) -> Mapping[Partition, int]:
        return await self.reviewing.reader.resume(bounds)

    async def take(self, chunks: Sequence[Chunk]) -> None:
        await self.reviewing.reader.handle(chunks, self.rewind, self.commit_watermark)

    async def settled(self) -> None:
        self._stop_forecasts.set()


def run(settings: InsightsSettings) -> NoReturn:
    """As transport.service.run_service."""
    run_service(InsightsApp(settings), lambda why: log.error("insights stopped", why=why))
