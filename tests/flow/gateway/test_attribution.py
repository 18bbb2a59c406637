"""What shoppers do with their lists, from events over HTTP to the report: once, through repeats and
restarts."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.builders import event
from tests.ending import ends_in_order
from tests.flow.gateway.test_events import records_of
from tests.flow.gateway.test_page import item
from tests.gateway import TENANT, Gate

from millstream.domain.clock import wall_clock
from millstream.domain.errors import Halt
from millstream.local.ports import LOOPBACK, free_port
from millstream.stores.attributions import Attributions, Field, Portion
from millstream.stores.keys import Keys
from millstream.stores.redis import connect
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAGS = ("millstream_attribution_lag_messages", "millstream_attribution_lag_seconds")
BOTH = (EVENTS, RECOMMENDATIONS)
PARTITIONS = 12
DAYS = {"days": 2}  # the test may run over midnight


def said(
    name: str, kind: str, items: list[str], of: str | None = None, user: str = "ann"
) -> dict[str, Any]:
    at_ms = wall_clock()
    told: dict[str, Any] = msgspec.to_builtins(event(name, user, "tea", at_ms=at_ms))
    told |= {"type": kind, "items": [{"item_id": one} for one in items]}
    return told | ({"recommendation_id": of} if of else {})


async def send(shop: Gate, *events: dict[str, Any]) -> None:
    answer = await shop.http.post("/v1/events", json={"events": list(events)})
    assert answer.json()["accepted"] == len(events), answer.text


async def report(shop: Gate) -> dict[str, Any]:
    told: dict[str, Any] = (await shop.http.get("/v1/kpis", params=DAYS)).json()
    return told


def sums(told: dict[str, Any]) -> dict[str, int]:
    names = ("lists", "seen", "clicked", "bought")
    return {name: sum(row[name] for row in told["lists"]) for name in names}


async def lags(port: int) -> dict[tuple[str, str, str], float]:
    """What attribution's own port tells, by name, topic and partition."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"http://{LOOPBACK}:{port}/metrics")).text
    return {
        (sample.name, sample.labels["topic"], sample.labels["partition"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in LAGS
    }


async def list_of(shop: Gate, user: str, after: str | None = None) -> dict[str, Any]:
    """The shopper's stored list, other than `after`."""
    found: dict[str, Any] = {}

    async def has_come() -> bool:
        nonlocal found
        found = (await shop.http.get(f"/v1/recommendations/{user}")).json()
        return found["model_version"] != "none" or bool(await is_stored(shop, user, found))

    await shop.until(has_come, "a stored list")
    return found


async def is_stored(shop: Gate, user: str, found: dict[str, Any]) -> bool:
    """A popular list has another id each time."""
    again = (await shop.http.get(f"/v1/recommendations/{user}")).json()
    return bool(again["recommendation_id"] == found["recommendation_id"] and again["items"])


async def test_deeds_go_back_to_lists_once(shop: Gate) -> None:
    goods = [item(name) for name in ("tea", "pot", "cup")]
    await shop.http.put("/v1/items", json={"items": goods})
    await shop.deployment.start("recommender")
    first = await shop.deployment.start("attribution")
    await send(shop, said("e1", "view_item", ["tea"]))
    shown = await list_of(shop, "ann")
    of, names = shown["recommendation_id"], [one["item_id"] for one in shown["items"]]
    deeds = [
        said("e2", "view_item_list", names[:2], of),
        said("e3", "select_item", names[:1], of),
        said("e4", "purchase", names[:1], of),
        said("e5", "select_item", names[:1], "0" * 32),
    ]
    await send(shop, *deeds)
    wanted = {"seen": 2, "clicked": 1, "bought": 1}

    async def is_counted() -> bool:
        told = await report(shop)
        return told["unknown"] == 1 and {n: sums(told)[n] for n in wanted} == wanted

    await shop.until(is_counted, "what ann did goes back to her list")
    told = await report(shop)
    assert [row["click_through"] for row in told["lists"]] == [0.5]
    assert told["carried"] == 2
    assert told["coverage"] == 1.0
    assert told["freshness"]["p50_ms"] > 0
    exposed = (await shop.http.get(f"/v1/items/{names[0]}")).json()["exposure"]
    lists, places = (sum(row[name] for row in told["lists"]) for name in ("lists", "places"))
    assert (exposed["days"], exposed["lists"]) == (7, lists)
    assert 1 <= exposed["places"] <= lists
    assert exposed["share"] == pytest.approx(exposed["places"] / places, abs=1e-6)

    first.kill()
    await send(shop, *deeds, said("e6", "view_item_list", names[2:3], of))
    port = free_port()
    second = await shop.deployment.start("attribution", metrics_port=port)

    async def has_gone_on() -> bool:
        return sums(await report(shop))["seen"] == 3

    await shop.until(has_gone_on, "the one that was started again goes on")
    after = await report(shop)
    assert {**sums(after), "seen": 2, "lists": 0} == {**sums(told), "lists": 0}
    assert after["unknown"] == 1, "repeats count nothing"

    async def tells_no_lag() -> bool:
        told = await lags(port)
        names = {(told_by, topic) for told_by, topic, _ in told}
        assert names <= {(of, shop.settings.topic(topic)) for of in LAGS for topic in BOTH}
        return len(told) == len(LAGS) * len(BOTH) * PARTITIONS and not any(told.values())

    await shop.until(tells_no_lag, "of both topics each partition is told, and none is behind")
    await ends_in_order(second)


async def test_killed_in_the_midst_it_counts_every_list_once(shop: Gate) -> None:
    """It is killed while it works through what has gathered, begun again, and so on."""
    running = await shop.deployment.start("attribution")
    for turn in range(4):
        for part in range(3):
            views = [
                said(f"k{turn}-{part}-{n}", "view_item", ["tea"], user=f"k{n % 30}")
                for n in range(60)
            ]
            await send(shop, *views)
        running.kill()
        running = await shop.deployment.start("attribution")

    async def is_counted() -> bool:
        counted = sums(await report(shop))["lists"]
        made = {json.loads(value)["recommendation_id"] for value in await lists_of(shop)}
        assert counted <= len(made), "a list was counted twice"
        return counted == len(made)

    await shop.until(is_counted, "every list of the topic is counted")
    running.close()


async def lists_of(shop: Gate) -> list[bytes]:
    return [value for _, value in await records_of(shop, RECOMMENDATIONS) if value is not None]


async def test_one_that_another_overtook_writes_nothing(shop: Gate) -> None:
    redis = connect(shop.settings.redis_url)
    store = Attributions(redis, Keys(f"{shop.settings.redis_prefix}overtaken:"))
    of = (TENANT, "20260101")

    def portion(stood: tuple[int, int], stands: tuple[int, int]) -> Portion:
        counts: dict[tuple[str, str], Counter[Field]] = {of: Counter({("lists", "v", "d"): 1})}
        return Portion(3, stood, stands, {}, counts, {of: Counter(tea=1)}, {}, {}, 7)

    await store.write(portion((0, 0), (2, 5)))
    await store.write(portion((0, 0), (2, 5)))  # the answer was lost
    with pytest.raises(Halt, match="partition 3"):
        await store.write(portion((0, 0), (3, 5)))
    await store.write(portion((2, 5), (4, 9)))
    counts, _ = await store.counts(*of[:1], [of[1]], 12)
    assert await store.exposed(TENANT, "tea", [of[1]], 12) == (2, counts)
    assert counts == {("lists", "v", "d"): 2}
    assert await store.positions(3) == (4, 9)
    await redis.aclose()
