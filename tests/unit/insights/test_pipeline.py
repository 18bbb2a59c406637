from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from prometheus_client import REGISTRY
from tests.unit.insights.demand.made_demand import made_weekly

from millstream.domain.demand import DemandForecast
from millstream.insights import telemetry
from millstream.insights.demand.forecast import FIRST_FORECAST, HORIZON
from millstream.insights.demand.weeks import MOST_WEEKS, WEEK_MS
from millstream.insights.pipeline import Stages, forecasts_of, run, turn
from millstream.insights.settings import InsightsSettings
from millstream.insights.wiring import StoredLake
from millstream.model.signing import create_keys
from millstream.stores.demand_book import DemandBook
from millstream.stores.lake import LakeDamaged, Range
from millstream.stores.lake.ranges import partition_dir
from millstream.streaming.topics import EVENTS

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


def metrics() -> tuple[float | None, float | None]:
    return (
        REGISTRY.get_sample_value("millstream_insights_forecasts"),
        REGISTRY.get_sample_value("millstream_insights_forecast_timestamp_seconds"),
    )


async def test_a_turn_is_told_once_the_topic_has_it_also_where_nothing_is_forecast() -> None:
    """By this the alert knows that forecasts are old."""
    telemetry.FORECASTS.set(0)
    telemetry.FORECAST_AT.set(0)
    topic, lake = Topic(), Lake(lines(FIRST_FORECAST))
    topic.fails = True
    with pytest.raises(ConnectionError):
        await turn(stages(lake, topic))
    assert metrics() == (0, 0)
    topic.fails = False
    await turn(stages(lake, topic))
    assert metrics() == (len(topic.book.items("shop")), NOW.timestamp())
    telemetry.FORECAST_AT.set(0)
    lake.lines = lines(FIRST_FORECAST - 1)
    await turn(stages(lake, topic))
    assert metrics() == (0, NOW.timestamp())


def bought(item: str, weeks: Iterable[int], quantity: int = 1) -> pl.DataFrame:
    """One purchase in each of `weeks`."""
    times = [week * WEEK_MS + _MONDAY_MS for week in weeks]
    return pl.DataFrame(
        {"item": item, "type": "purchase", "quantity": quantity, "time_ms": times},
        schema=lines(1).schema,
    )


SPARSE: dict[str, list[pl.DataFrame]] = {
    "nothing": [],
    "once": [bought("mug", [0])],
    "a shop that is seldom open": [bought("mug", range(0, 60, 12))],
    "each item for some weeks": [bought(f"i{n}", range(4 * n, 4 * n + 4)) for n in range(12)],
    "items that came late": [bought("mug", [0]), bought("pot", range(51, 60))],
    "quantities of zero": [bought("mug", range(40), 0)],
}


@pytest.mark.parametrize("sales", SPARSE.values(), ids=SPARSE)
async def test_too_little_to_learn_from_is_no_forecast_and_no_end(
    sales: list[pl.DataFrame],
) -> None:
    """The service would start again, and end so again."""
    topic, seen = Topic(), bought("seen", [60]).with_columns(type=pl.lit("view_item"))
    await turn(stages(Lake(pl.concat([*sales, seen])), topic))
    assert topic.records == []


@pytest.mark.parametrize("later", [0, 1, 2, 7])
def test_one_item_is_told_from_the_first_week_on_in_which_it_can_be(later: int) -> None:
    [told] = forecasts_of(bought("mug", range(FIRST_FORECAST + later + 1)), "shop", NOW)
    assert (told.level, told.weeks_known) == (1, FIRST_FORECAST + later)


def test_what_is_told_of_the_largest_orders_is_finite() -> None:
    orders = [bought("mug", range(30), 10**9)] * 200
    sales = pl.concat([*orders, bought("pot", range(30)), bought("cup", [*range(29), 29], 0)])
    made = forecasts_of(sales, "shop", NOW)
    assert [forecast.item_id for forecast in made] == ["mug", "pot"]
    for forecast in made:
        figures = [forecast.level, forecast.expected, *forecast.low, *forecast.high]
        assert np.isfinite(figures).all()
        assert msgspec.json.decode(msgspec.json.encode(forecast), type=DemandForecast) == forecast


def test_a_sale_of_1970_leaves_the_forecasts_as_they_are() -> None:
    sales = bought("mug", range(MOST_WEEKS + 1))
    ancient = bought("mug", [0]).with_columns(time_ms=pl.lit(0, pl.Int64))
    assert forecasts_of(pl.concat([ancient, sales]), "shop", NOW) == forecasts_of(
        sales, "shop", NOW
    )


async def test_a_file_of_the_lake_that_cannot_be_read_ends_the_service_with_its_name(
    tmp_path: Path,
) -> None:
    settings = InsightsSettings(lake_dir=tmp_path / "lake", keys_dir=tmp_path / "keys")
    create_keys(settings.keys_dir)
    damaged = partition_dir(settings.lake_dir, settings.topic(EVENTS), 0) / Range(0, 1).file_name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"PAR1")
    lake, topic = StoredLake(settings), Topic()
    made = Stages("shop", lake, lambda: {"told before"}, topic, "reco.demand.v1", lambda: 0)
    with pytest.raises(LakeDamaged, match=damaged.name):
        await run(made, 3600, asyncio.Event())
    assert topic.records == [], "what was told before is not taken back"


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
