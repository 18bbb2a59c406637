"""Lists out by HTTP: the stored one, one made for the request, what memory has without Redis."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.gateway import OTHER, TENANT, Gate, caller, gate, key_for
from tests.near import add_near, near_of

from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.lists import (
    Origin,
    RankedItem,
    RecommendationList,
    Source,
    recommendation_id,
)
from millstream.gateway.api_keys import Scope
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.privacy.key_files import newest
from millstream.stores.affinities import AffinityStore
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, connect
from millstream.stores.served_lists import ServedLists
from millstream.streaming.topics import EVENTS

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR_MS = 3_600_000
ITEMS = [
    RankedItem(f"i{n}", round(2.0 - n / 16, 4), list(Source)[n % 5], "because") for n in range(20)
]


def redis_of(shop: Gate) -> tuple[Any, Keys]:
    return connect(shop.settings.redis_url), Keys(shop.settings.redis_prefix)


def listed(shop: Gate, user: str, offset: int, items: Sequence[RankedItem]) -> RecommendationList:
    """What a recommender would put for the shopper of this raw id."""
    now = as_datetime(wall_clock())
    origin = Origin(shop.settings.topic(EVENTS), 3, offset)
    shopper = newest(TENANT, shop.settings.pseudonym_keys_dir).shopper(user)
    return RecommendationList(
        recommendation_id=recommendation_id(TENANT, shopper, origin),
        tenant=TENANT,
        user=shopper,
        variant="try:one",
        items=tuple(items),
        model_version="embedding-v7",
        settings_digest="0" * 12,
        origin=origin,
        event_time=now,
        log_time=now,
        published_at=now,
    )


async def put(shop: Gate, *lists: RecommendationList) -> None:
    """Into Redis, as a recommender does: the gateway may not have met the items."""
    redis, keys = redis_of(shop)
    numbers = ItemNumbers(redis, keys)
    await ServedLists(redis, keys, DEFAULT_SLOTS, numbers).put(lists)
    await AffinityStore(redis, keys, DEFAULT_SLOTS, ItemNumbers(redis, keys)).note_tenants([TENANT])
    await redis.aclose()


async def served(shop: Gate, user: str, items: int, query: str = "") -> dict[str, Any]:
    """The gateway's answer once it has so many items: it learns of new ones within seconds."""

    answer = httpx.Response(500)

    async def has_come() -> bool:
        nonlocal answer
        answer = await shop.http.get(f"/v1/recommendations/{user}{query}")
        return len(answer.json()["items"]) == items

    await shop.until(has_come, f"a list of {items}")
    told: dict[str, Any] = answer.json()
    return told


async def test_a_stored_list_is_served_as_it_is(shop: Gate) -> None:
    ann, guest = listed(shop, "ann b/é", 17, ITEMS), listed(shop, "~cookie", 18, ITEMS[:3])
    await put(shop, ann, guest)
    told = await served(shop, "ann%20b%2F%C3%A9", 10)
    assert told["user"] == "ann b/é"
    assert told["recommendation_id"] == ann.recommendation_id
    assert (told["model_version"], told["variant"]) == ("embedding-v7", "try:one")
    assert "stale" not in told
    for item, meant in zip(told["items"], ITEMS, strict=False):
        assert (item["item_id"], item["source"]) == (meant.item_id, meant.source)
        assert item["score"] == pytest.approx(meant.score, rel=1e-3)
    assert len((await served(shop, "~cookie", 3))["items"]) == 3


async def test_an_item_that_was_just_numbered_stands_in_the_first_answer(shop: Gate) -> None:
    never_met = [RankedItem("just-numbered", 1.5, Source.EMBEDDING, "because"), *ITEMS[:2]]
    await put(shop, listed(shop, "cleo", 19, never_met))
    told = (await shop.http.get("/v1/recommendations/cleo")).json()
    assert [item["item_id"] for item in told["items"]] == ["just-numbered", "i0", "i1"]


async def test_the_plain_route_and_the_other_answer_alike(shop: Gate) -> None:
    await put(shop, listed(shop, "bea", 1, ITEMS))
    plain = await served(shop, "bea", 7, "?n=7")
    other = await served(shop, "bea", 7, "?n=7&scenario=home")
    assert plain == other
    without = await served(shop, "bea", 7, "?n=7&exclude=i0&exclude=i3&exclude=nothing")
    assert [item["item_id"] for item in without["items"]] == [
        f"i{n}" for n in (1, 2, 4, 5, 6, 7, 8)
    ]


async def test_another_tenants_key_sees_none_of_it(shop: Gate) -> None:
    await put(shop, listed(shop, "cleo", 1, ITEMS))
    await served(shop, "cleo", 10)
    token = key_for(shop.settings, OTHER, Scope.LISTS_READ)
    async with caller(shop.door, token) as theirs:

        async def is_known() -> bool:
            return (await theirs.get("/v1/recommendations/cleo")).status_code == 200

        await shop.until(is_known, "a new key is in force")
        assert (await theirs.get("/v1/recommendations/cleo")).json()["items"] == []
        answer = await theirs.get("/v1/recommendations/cleo?explain=true")
        assert (answer.status_code, answer.json()["items"]) == (200, [])
        assert (await theirs.get("/v1/models")).status_code == 403


async def test_who_may_not_read_lists_gets_none(shop: Gate) -> None:
    token = key_for(shop.settings, TENANT, Scope.EVENTS_WRITE)
    async with caller(shop.door, token) as http:

        async def is_known() -> bool:
            return (await http.get("/v1/recommendations/ann")).status_code != 401

        await shop.until(is_known, "a new key is in force")
        for path in ("ann", "ann?explain=true", "ann?n=30"):
            assert (await http.get(f"/v1/recommendations/{path}")).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/v1/recommendations/%7B",
        "/v1/recommendations/~",
        "/v1/recommendations/" + "x" * 130,
        "/v1/recommendations/ann?n=0",
        "/v1/recommendations/ann?n=101",
        "/v1/recommendations/ann?n=ten",
        "/v1/recommendations/ann?scenario=attic",
        "/v1/recommendations/ann?min_price=dear",
        "/v1/items/a%00b/similar",
    ],
)
async def test_what_is_not_well_formed_is_said_so(shop: Gate, path: str) -> None:
    answer = await shop.http.get(path)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def stock(shop: Gate) -> None:
    """40 items in two categories with prices, all of them popular, and i1 beside i30 to i33."""
    items = [
        {
            "item_id": f"i{n}",
            "added_at": "2026-01-01T00:00:00Z",
            "title": f"Item {n}",
            "category": "mugs" if n % 2 else "pots",
            "price": float(n),
            "in_stock": n != 33,
        }
        for n in range(40)
    ]
    assert (await shop.http.put("/v1/items", json={"items": items})).json()["refused"] == 0
    redis, keys = redis_of(shop)
    numbers = ItemNumbers(redis, keys)
    await numbers.learn(TENANT, [f"i{n}" for n in range(40)])
    affinities = AffinityStore(redis, keys, DEFAULT_SLOTS, numbers)
    now = wall_clock() / HOUR_MS
    await affinities.add_popular(TENANT, {f"i{n}": now + n / 100 for n in range(40)})
    near = {f"i{n}": now - n / 10 for n in range(30, 34)}
    await add_near(affinities, TENANT, near_of({"i1": near}, numbers, TENANT))
    await affinities.note_tenants([TENANT])
    await redis.aclose()


async def test_filters_hold_for_every_item(shop: Gate) -> None:
    await stock(shop)
    query = "?n=8&category=mugs&min_price=5&max_price=29&exclude=i9"
    told = await served(shop, "nobody", 8, query)
    numbers = [int(item["item_id"][1:]) for item in told["items"]]
    assert all(n % 2 and 5 <= n <= 29 and n != 9 for n in numbers)
    assert all(item["reason"] for item in told["items"])
    assert (await served(shop, "nobody", 0, "?category=lamps"))["items"] == []


async def test_a_shopper_nobody_knows_gets_what_is_popular(shop: Gate) -> None:
    await stock(shop)
    told = await served(shop, "nobody", 10)
    assert [item["item_id"] for item in told["items"]] == [
        f"i{n}" for n in range(39, 28, -1) if n != 33
    ]
    assert {item["source"] for item in told["items"]} == {"popular"}
    assert told["variant"] == "default"
    assert "stale" not in told


async def test_like_an_item_is_what_others_take_with_it(shop: Gate) -> None:
    await stock(shop)

    async def has_come() -> bool:
        answer = await shop.http.get("/v1/items/i1/similar")
        found = [item["item_id"] for item in answer.json()["items"]]
        return found == ["i30", "i31", "i32"]  # i33 is out of stock

    await shop.until(has_come, "the neighbours in order")


async def test_a_session_is_answered_from_its_items_and_leaves_no_trace(shop: Gate) -> None:
    await stock(shop)
    redis, keys = redis_of(shop)
    before = {key async for key in redis.scan_iter(f"{keys.prefix}*")}

    answer = httpx.Response(500)

    async def has_come() -> bool:
        nonlocal answer
        body = {"items": ["i1"], "n": 5, "scenario": "discover", "exclude": ["i31"]}
        answer = await shop.http.post("/v1/recommendations:session", json=body)
        assert answer.status_code == 200, answer.text
        found = {item["item_id"]: item for item in answer.json()["items"]}
        return "i30" in found and found["i30"]["source"] == "covisited" and len(found) == 5

    await shop.until(has_come, "what goes with i1")
    found = {item["item_id"]: item for item in answer.json()["items"]}
    assert answer.json()["variant"] == "default"
    assert not found.keys() & {"i1", "i31", "i33"}
    assert found["i30"]["reason"] == "others took it with Item 1"
    assert {key async for key in redis.scan_iter(f"{keys.prefix}*")} == before
    await redis.aclose()
    bad: list[dict[str, Any]] = [
        {},
        {"items": []},
        {"items": ["a"] * 25},
        {"items": ["a"], "who": "me"},
    ]
    for body in bad:
        answer = await shop.http.post("/v1/recommendations:session", json=body)
        assert answer.status_code == 400, answer.text


@asynccontextmanager
async def frozen(valkey: Valkey) -> AsyncIterator[None]:
    os.kill(valkey.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(valkey.pid, signal.SIGCONT)


async def test_without_redis_the_last_or_the_popular_list_is_served_marked_stale(
    tansu: Tansu, tmp_path: Path
) -> None:
    with Valkey(durable=True) as store:
        async with gate(tansu, store, tmp_path, gateway_redis_seconds=0.2) as shop:
            await stock(shop)
            await put(shop, listed(shop, "ann", 5, ITEMS))
            fresh = await served(shop, "ann", 10)
            popular = await served(shop, "nobody", 10)
            async with frozen(store):
                await stale_lists(shop, fresh, popular)
                assert (await shop.http.post("/v1/events", json=view())).status_code == 202
            await shop.until(lambda: fresh_again(shop, fresh), "lists from Redis again")
            store.kill()
            await stale_lists(shop, fresh, popular)
            answer = await shop.http.get("/v1/recommendations/ann?category=mugs")
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            store.start()
            await shop.until(lambda: fresh_again(shop, fresh), "lists from Redis again")


def view() -> dict[str, Any]:
    return {
        "event_id": "e1",
        "type": "view_item",
        "time": as_datetime(wall_clock()).isoformat(),
        "user_id": "bob",
        "items": [{"item_id": "i1"}],
    }


async def stale_lists(shop: Gate, fresh: dict[str, Any], popular: dict[str, Any]) -> None:
    for user, meant in (("ann", fresh), ("nobody", popular)):
        answer = await shop.http.get(f"/v1/recommendations/{user}")
        assert answer.status_code == 200
        told = answer.json()
        assert told["stale"] is True
        assert told["items"] == meant["items"]
    assert told["recommendation_id"] != popular["recommendation_id"]


async def fresh_again(shop: Gate, fresh: dict[str, Any]) -> bool:
    return bool((await shop.http.get("/v1/recommendations/ann")).json() == fresh)
