from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from tests.unit.insights.demand.made_demand import made_weekly

from millstream.domain.demand import DemandForecast
from millstream.insights.demand.forecast import FIRST_FORECAST, HORIZON
from millstream.insights.demand.weeks import WEEK_MS
from millstream.insights.pipeline import Stages, forecasts_of, run, turn
from millstream.stores.demand_book import DemandBook

NOW = datetime(2026, 11, 30, 4, tzinfo=UTC)
_MONDAY_MS = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000)


def lines(weeks: int) -> pl.DataFrame:
    """Purchases of so many whole weeks, and one in the week after them."""
    made = made_weekly(30, weeks + 1, 7)
    made.units[:, -1] = 1
    row, week = np.nonzero(made.units)
    return pl.DataFrame(
        {
            "item": [made.items[each] for each in row],
            "type": ["purchase"] * len(row),
            "quantity": made.units[row, week].astype(np.int64),
            "time_ms": (week * WEEK_MS + _MONDAY_MS).astype(np.int64),
        }
    )


class Topic:
    """A producer and, behind it, the topic as a follower has it."""

    def __init__(self) -> None:
        self.book = DemandBook()
        self.records: list[tuple[bytes, bytes | None]] = []
        self.fails = False

    async def send_and_wait(self, topic: str, value: bytes | None, key: bytes) -> None:
        assert topic == "reco.demand.v1"
        if self.fails:
            raise ConnectionError
        self.records.append((key, value))
        self.book.take(key, value)


class Lake:
    def __init__(self, lines: pl.DataFrame) -> None:
        self.lines = lines

    def accepted(self) -> pl.DataFrame:
        return self.lines


def stages(lake: Lake, topic: Topic) -> Stages:
    return Stages(
        "shop",
        lake,
        lambda: topic.book.items("shop"),
        topic,
        "reco.demand.v1",
        lambda: int(NOW.timestamp() * 1000),
    )


def test_records_tell_the_weeks_after_the_last_whole_one() -> None:
    made = forecasts_of(lines(FIRST_FORECAST), "shop", NOW)
    assert len(made) > 20
    for forecast in made:
        assert forecast.first_week == date(2026, 6, 1)
        assert (forecast.weeks_known, forecast.made_at) == (FIRST_FORECAST, NOW)
        assert len(forecast.low) == len(forecast.high) == HORIZON
        assert all(low <= high for low, high in zip(forecast.low, forecast.high, strict=True))


async def test_a_turn_publishes_each_item_and_takes_back_what_is_gone() -> None:
    topic, lake = Topic(), Lake(lines(FIRST_FORECAST))
    await turn(stages(lake, topic))
    first = topic.book.items("shop")
    assert {key for key, _ in topic.records} == {f"shop:{item}".encode() for item in first}
    [gone] = sorted(first)[:1]
    lake.lines = lake.lines.filter(pl.col("item") != gone)
    await turn(stages(lake, topic))
    assert topic.book.items("shop") == first - {gone}
    assert topic.records[-1] == (f"shop:{gone}".encode(), None)


async def test_too_few_weeks_take_all_forecasts_back() -> None:
    topic, lake = Topic(), Lake(lines(FIRST_FORECAST))
    await turn(stages(lake, topic))
    assert topic.book.items("shop")
    lake.lines = lines(FIRST_FORECAST - 1)
    await turn(stages(lake, topic))
    assert topic.book.items("shop") == frozenset()


async def test_what_the_broker_does_not_take_ends_the_service() -> None:
    topic = Topic()
    topic.fails = True
    with pytest.raises(ConnectionError):
        await run(stages(Lake(lines(FIRST_FORECAST)), topic), 3600, asyncio.Event())


async def test_it_ends_when_told_and_until_then_begins_again_each_time() -> None:
    topic, stop, turns = Topic(), asyncio.Event(), 0

    class Counted(Lake):
        def accepted(self) -> pl.DataFrame:
            nonlocal turns
            turns += 1
            if turns == 3:
                loop.call_soon_threadsafe(stop.set)
            return self.lines

    loop = asyncio.get_running_loop()
    await run(stages(Counted(lines(3)), topic), 0.001, stop)
    assert turns == 3


def told(units: float) -> DemandForecast:
    return DemandForecast(
        tenant="shop",
        item_id="mug",
        first_week=date(2026, 6, 1),
        level=units,
        expected=units,
        low=(0.0,),
        high=(9.0,),
        coverage=0.8,
        weeks_known=30,
        made_at=NOW,
    )


def test_days_of_a_stock() -> None:
    assert told(14).days_of(4) == 2
    assert told(14).days_of(0) == 0
    assert told(0).days_of(4) is None
