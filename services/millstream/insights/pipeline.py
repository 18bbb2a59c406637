"""START HERE: what the recommenders accepted, as the lake has it, to a forecast for each item.

1. Read the lines of accepted events from the lake's files.
2. Sum to whole weeks and forecast the next four (demand/forecast.py).
3. Publish a record for each item, and take back those of items that have no forecast any more.

Nothing is remembered between two turns: the lake has all there is to know, and a record that is
published twice says the same."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

import polars as pl
import structlog

from millstream.domain.clock import Clock, as_datetime
from millstream.domain.demand import DemandForecast
from millstream.insights import telemetry
from millstream.insights.demand.forecast import FIRST_FORECAST, Forecasts
from millstream.insights.demand.intervals import COVERAGE
from millstream.insights.demand.weeks import Weekly, weekly
from millstream.insights.publish import Producer, publish
from millstream.streaming.offload import offload

_log = structlog.get_logger(__name__)

COLUMNS = ("item", "type", "quantity", "time_ms")
"""What is told of a line."""


class Lake(Protocol):
    def accepted(self) -> pl.DataFrame:
        """One row for each item line: COLUMNS. Blocks on the disk."""
        ...


@dataclass(frozen=True, slots=True)
class Stages:
    """`told`: the items whose forecast stands on the topic."""

    tenant: str
    lake: Lake
    told: Callable[[], Collection[str]]
    producer: Producer
    topic: str
    clock: Clock


async def run(stages: Stages, every_s: float, stop: asyncio.Event) -> None:
    """Until `stop`: a turn at once, and one each `every_s` seconds. A turn under way is left where
    it is; the next start does it again."""
    while not stop.is_set():
        work = asyncio.create_task(turn(stages))
        ended = asyncio.create_task(stop.wait())
        await asyncio.wait({work, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not work.done():
            work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)


async def turn(stages: Stages) -> None:
    lines = await offload(stages.lake.accepted)
    # lines: (n, 4) item, type, quantity, time_ms
    made_at = as_datetime(stages.clock())
    forecasts = await offload(partial(forecasts_of, lines, stages.tenant, made_at))
    # forecasts: one for each item that sold in enough weeks; none while there are too few weeks
    gone = frozenset(stages.told()) - {forecast.item_id for forecast in forecasts}
    await publish(stages.producer, stages.topic, stages.tenant, forecasts, gone)
    telemetry.FORECASTS.set(len(forecasts))
    telemetry.FORECAST_AT.set(made_at.timestamp())
    _log.info("demand told", items=len(forecasts), taken_back=len(gone))


def forecasts_of(lines: pl.DataFrame, tenant: str, made_at: datetime) -> Sequence[DemandForecast]:
    """Seconds to minutes of CPU."""
    table = weekly(lines)
    weeks = table.units.shape[1]
    if weeks < FIRST_FORECAST:
        _log.info("too few weeks to forecast from", weeks=weeks, needed=FIRST_FORECAST)
        return ()
    return _records(table, tenant, made_at)


def _records(table: Weekly, tenant: str, made_at: datetime) -> Sequence[DemandForecast]:
    weeks, first_week = table.units.shape[1], table.monday_after()
    made = Forecasts(table).at(weeks)
    columns = (each.round(3).tolist() for each in (made.level, made.expected, made.low, made.high))
    return [
        DemandForecast(
            tenant=tenant,
            item_id=table.items[row],
            first_week=first_week,
            level=level,
            expected=expected,
            low=tuple(low),
            high=tuple(high),
            coverage=COVERAGE,
            weeks_known=weeks,
            made_at=made_at,
        )
        for row, level, expected, low, high in zip(made.rows.tolist(), *columns, strict=True)
    ]
