"""What the live page asks: shelves, items, previews, live events, and whose key it has."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.builders import event
from tests.gateway import OTHER, TENANT, Gate, caller, key_for

from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.identity import record_key
from millstream.gateway.api_keys import Scope
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import EVENTS

pytestmark = pytest.mark.asyncio(loop_scope="module")


def item(item_id: str, **more: Any) -> dict[str, Any]:
    added = as_datetime(wall_clock()).isoformat()
    return {"item_id": item_id, "title": f"The {item_id}", "added_at": added, **more}


def view(n: int, name: str, item_id: str, ago_s: int = 0) -> dict[str, Any]:
    at_ms = wall_clock() - ago_s * 1000
    told: dict[str, Any] = msgspec.to_builtins(event(f"v{n}", name, item_id, at_ms=at_ms))
    return told


async def filled(shop: Gate) -> None:
    goods = [item("tea"), item("pot"), item("cup", in_stock=False), item("jug", hidden=True)]
    assert (await shop.http.put("/v1/items", json={"items": goods})).json()["accepted"] == 4
    await shop.deployment.start("recommender")
    for n, (name, item_id) in enumerate(
        (name, item_id) for name in ("ann", "bob") for item_id in ("tea", "pot", "cup", "jug")
    ):
        await shop.http.post("/v1/events", json=view(n, name, item_id, ago_s=60 - n))

    async def is_counted() -> bool:
        card = await shop.http.get("/v1/items/tea")
        if card.status_code != 200 or not card.json()["neighbours"]:
            return False
        return bool(card.json()["counts"].get("view_item") == 2)

    await shop.until(is_counted, "both looks at the tea are counted, and what goes with it")


async def test_the_shop_its_items_and_how_a_list_comes_about(shop: Gate) -> None:
    await filled(shop)
    shelf = (await shop.http.get("/v1/items")).json()
    assert {one["item_id"] for one in shelf["items"]} == {"tea", "pot"}, "what can be sold"
    assert shelf["catalogue"] == 4
    found = (await shop.http.get("/v1/items", params={"text": "the J"})).json()["items"]
    assert found == [{"item_id": "jug", "title": "The jug", "hidden": True}]

    card = (await shop.http.get("/v1/items/tea")).json()
    assert card["click_through"] is None
    assert [near["item"]["item_id"] for near in card["neighbours"]] == ["pot"]
    assert (await shop.http.get("/v1/items/nothing")).status_code == 404
    named = (await shop.http.get("/v1/items:named?item=pot&item=nothing")).json()["items"]
    assert [one.get("in_catalogue", True) for one in named] == [True, False]

    preview = (await shop.http.get("/v1/previews?user=ann")).json()
    assert preview["user"] == "ann"
    assert [one["item"]["item_id"] for one in preview["recent"]] == ["jug", "cup", "pot", "tea"]
    assert preview["counts"] == {"view_item": 4}
    assert (preview["model_version"], preview["variant"]) == ("none", "default")
    for one in preview["items"]:
        assert sum(one["parts"].values()) == pytest.approx(one["score"], abs=0.01)
    rules = {one["item"]["item_id"]: one["rule"] for one in preview["taken_out"]}
    assert rules == {"cup": "out_of_stock", "jug": "hidden"}
    made_up = (await shop.http.get("/v1/previews?item=tea")).json()
    assert made_up["user"] is None
    assert "others took it with The tea" in {one["reason"] for one in made_up["items"]}
    for bad in ("", "?user=ann&item=tea", "?user={x}", "?item={x}"):
        assert (await shop.http.get(f"/v1/previews{bad}")).status_code == 400, bad


async def test_a_touch_is_shown_as_soon_as_it_is_counted(shop: Gate) -> None:
    await shop.http.post("/v1/events", json=view(90, "kim", "never-met"))
    preview: dict[str, Any] = {}

    async def is_counted() -> bool:
        nonlocal preview
        preview = (await shop.http.get("/v1/previews?user=kim")).json()
        return bool(preview["counts"] == {"view_item": 1})

    await shop.until(is_counted, "the look is counted")
    assert [one["item"]["item_id"] for one in preview["recent"]] == ["never-met"]


async def test_events_are_seen_as_they_come_and_by_their_own_tenant_alone(shop: Gate) -> None:
    first = (await shop.http.get("/v1/live")).json()
    assert first["events"] == []

    async def follows() -> bool:
        return bool((await shop.http.get("/v1/live")).json()["following"])

    await shop.until(follows, "the topic is read since somebody asked")
    await shop.http.post("/v1/events", json=view(100, "ann", "tea"))
    async with producer_for(shop.settings, "test") as producer:
        for tenant in (TENANT, OTHER):
            topic, key = shop.settings.topic(EVENTS), record_key(tenant, "x")
            await producer.send_and_wait(topic, b"{", key, timestamp_ms=wall_clock())

    async def both_seen() -> bool:
        told = (await shop.http.get("/v1/live")).json()
        return bool(told["fates"]["dead_lettered"] and told["fates"]["accepted"])

    await shop.until(both_seen, "the event and the one that can't be read")
    told = (await shop.http.get("/v1/live")).json()
    looked = next(one for one in told["events"] if one["fate"] == "accepted")
    assert looked["items"] == ["tea"]
    assert looked["shopper"] not in {None, "ann"}, "it stands there under its pseudonym"
    assert told["fates"]["dead_lettered"] == 1, "the other tenant's is not ours"
    newest = max(one["n"] for one in told["events"])
    assert (await shop.http.get(f"/v1/live?after={newest}")).json()["events"] == []

    async with caller(shop.door, key_for(shop.settings, OTHER)) as theirs:

        async def is_known() -> bool:
            return (await theirs.get("/v1/key")).status_code == 200

        await shop.until(is_known, "a new key is in force")
        other = (await theirs.get("/v1/live")).json()
        assert all(one["fate"] == "dead_lettered" for one in other["events"])
        assert (await theirs.get("/v1/previews?user=ann")).json()["recent"] == []
        assert (await theirs.get("/v1/items")).json() == {"items": [], "catalogue": 0}


async def test_each_tenant_is_told_its_own_ledger(shop: Gate) -> None:
    async def is_counted() -> bool:
        ledger = (await shop.http.get("/v1/live")).json()["ledger"]
        return bool(ledger["acc"] >= 8 and ledger["bad"] == 1)

    await shop.until(is_counted, "what was sent, and the one that can't be read")
    async with caller(shop.door, key_for(shop.settings, OTHER)) as theirs:

        async def is_known() -> bool:
            return (await theirs.get("/v1/key")).status_code == 200

        await shop.until(is_known, "a new key is in force")
        ledger = (await theirs.get("/v1/live")).json()["ledger"]
        assert set(ledger.values()) == {0}, "nor is it a tenant before its first event"


async def test_a_key_is_told_what_it_may_and_kept_from_the_rest(shop: Gate) -> None:
    own = (await shop.http.get("/v1/key")).json()
    assert own == {
        "tenant": TENANT,
        "scopes": ["admin", "events:write", "lists:read"],
        "replays_letters": True,
    }
    async with caller(shop.door, key_for(shop.settings, TENANT, Scope.EVENTS_WRITE)) as weak:

        async def is_known() -> bool:
            return (await weak.get("/v1/key")).status_code == 200

        await shop.until(is_known, "a new key is in force")
        for path in ("/v1/live", "/v1/items", "/v1/items/tea", "/v1/previews?user=ann"):
            assert (await weak.get(path)).status_code == 403, path
    async with caller(shop.door, None) as nobody:
        for path in ("/v1/key", "/v1/live", "/v1/items:named?item=tea"):
            assert (await nobody.get(path)).status_code == 401, path
        page = await nobody.get("/page/")
        assert page.status_code == 200
        assert "script-src 'self'" in page.headers["content-security-policy"]
