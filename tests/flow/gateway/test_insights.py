"""From the lake's files to the card of an item: insights as a process, the gateway in this one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from tests.ending import ends_in_order
from tests.gateway import TENANT, Gate

from millstream.domain.events import Event, EventType, Line
from millstream.domain.log import LogRecord
from millstream.insights.demand.forecast import FIRST_FORECAST, HORIZON
from millstream.local.forecasts import forecasts_told
from millstream.stores.lake import LakeWriter, Range
from millstream.streaming.topics import EVENTS

pytestmark = pytest.mark.asyncio(loop_scope="module")

MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)
STEADY = 14


def sold() -> list[Event]:
    """Each week the same mugs and some pots; a jug once; a repeat, which counts once."""
    chance = np.random.default_rng(0)
    events = [
        Event(
            event_id=f"week-{week}",
            type=EventType.PURCHASE,
            time=MONDAY + timedelta(weeks=week),
            tenant=TENANT,
            user_id="ann",
            items=(Line("mug", STEADY), Line("pot", int(chance.poisson(5)) + 1)),
        )
        for week in range(FIRST_FORECAST + 1)
    ]
    jug = msgspec.structs.replace(events[3], event_id="jug", items=(Line("jug", 2),))
    return [*events[:4], events[3], jug, *events[4:]]


def write_lake(shop: Gate) -> None:
    topic = shop.settings.topic(EVENTS)
    records = [
        LogRecord(topic, 0, offset, event.time_ms, b"key", msgspec.json.encode(event))
        for offset, event in enumerate(sold())
    ]
    with LakeWriter(shop.settings.lake_dir) as lake:
        lake.write(topic, 0, Range(0, len(records)), records)


async def test_what_sells_is_told_on_the_card_of_the_item(shop: Gate) -> None:
    goods = [
        {"item_id": "mug", "added_at": MONDAY.isoformat(), "units_in_stock": 3 * STEADY},
        {"item_id": "pot", "added_at": MONDAY.isoformat()},
        {"item_id": "jug", "added_at": MONDAY.isoformat(), "units_in_stock": 7},
    ]
    assert (await shop.http.put("/v1/items", json={"items": goods})).json()["accepted"] == 3
    write_lake(shop)
    insights = await shop.deployment.start("insights", tenant=TENANT)

    async def is_told() -> bool:
        card = await shop.http.get("/v1/items/pot")
        return card.status_code == 200 and card.json()["demand"] is not None

    await shop.until(is_told, "the pot has a forecast")
    mug = (await shop.http.get("/v1/items/mug")).json()["demand"]
    assert mug["first_week"] == (MONDAY + timedelta(weeks=FIRST_FORECAST)).date().isoformat()
    assert mug["expected"] == pytest.approx(STEADY, rel=0.1)
    assert len(mug["low"]) == HORIZON
    assert 0 <= mug["low"][0] <= mug["high"][0] <= 2 * STEADY
    assert mug["days_of_stock"] == pytest.approx(7 * 3 * STEADY / mug["expected"], abs=0.1)
    pot = (await shop.http.get("/v1/items/pot")).json()["demand"]
    assert (pot["units_in_stock"], pot["days_of_stock"]) == (None, None)
    assert (await shop.http.get("/v1/items/jug")).json()["demand"] is None
    await ends_in_order(insights)


async def test_a_run_tells_of_how_many_items_it_is_told(shop: Gate) -> None:
    assert await forecasts_told(shop.deployment, TENANT) == 2  # the mug and the pot
