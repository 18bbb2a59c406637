"""Merchandising rules over HTTP: in force in the lists that workers make and in those that are
served, told in the trail, taken back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.flow.gateway.test_page import item, view
from tests.gateway import OTHER, TENANT, Gate, caller, key_for

from millstream.client import AsyncClient
from millstream.gateway.api_keys import Scope

pytestmark = pytest.mark.asyncio(loop_scope="module")

IN_FORCE_S = 2.0
GOODS = ["tea", "pot", "cup", "jug", "fan"]


async def stocked(shop: Gate) -> None:
    """With a recommender, and a shopper ann who looked at the first three."""
    goods = [item(name, category="pottery" if name in {"pot", "jug"} else "") for name in GOODS]
    assert (await shop.http.put("/v1/items", json={"items": goods})).json()["accepted"] == 5
    await shop.deployment.start("recommender")
    for n, name in enumerate(GOODS[:3]):
        await shop.http.post("/v1/events", json=view(n, "ann", name, ago_s=60 - n))

    async def is_listed() -> bool:
        return set(await shown(shop, "ann")) == set(GOODS)

    await shop.until(is_listed, "ann has a list of all that the shop has")


async def shown(shop: Gate, user: str, path: str = "") -> list[str]:
    answer = await shop.http.get(f"/v1/recommendations/{user}{path}")
    return [one["item_id"] for one in answer.json()["items"]]


async def put(http: httpx.AsyncClient, rule: str, **terms: Any) -> httpx.Response:
    return await http.put(f"/v1/rules/{rule}", json=terms)


async def seconds_until(
    shop: Gate, user: str, holds: Callable[[list[str]], bool], path: str = ""
) -> float:
    """By a list that was made before, or is made for the request."""
    began = time.monotonic()

    async def is_so() -> bool:
        return holds(await shown(shop, user, path))

    await shop.until(is_so, "the rule is in force")
    return time.monotonic() - began


async def seconds_until_made(
    shop: Gate, user: str, holds: Callable[[list[tuple[str, str]]], bool]
) -> float:
    """By the list, item and reason, that a worker makes for one more event, and another, and so
    on."""
    settings, began, n = shop.settings, time.monotonic(), 0
    given = (settings.brokers, TENANT, settings.topic_prefix, settings.kafka_idempotence)
    async with AsyncClient(*given) as client:

        async def is_so() -> bool:
            nonlocal n
            n += 1
            seen = await client.track(
                "view_item", user_id=user, items=["tea"], event_id=f"{user}-{n}"
            )
            made = await client.recommendations(seen.shopper, after=seen, timeout=30)
            return made is not None and holds([(one.item_id, one.reason) for one in made.items])

        await shop.until(is_so, "the rule is in force in a worker's list")
    return time.monotonic() - began


async def test_rules_are_in_force_told_and_taken_back(shop: Gate) -> None:
    await stocked(shop)
    hidden = await put(shop.http, "no-cups", kind="hide", item_id="cup", note="recalled")
    assert hidden.status_code == 200, hidden.text
    for path in ("", "?n=30"):  # the stored list, and one made for the request
        assert await seconds_until(shop, "ann", lambda ids: "cup" not in ids, path) < IN_FORCE_S
    similar = (await shop.http.get("/v1/items/tea/similar")).json()["items"]
    assert "cup" not in {one["item_id"] for one in similar}

    await put(shop.http, "fan-first", kind="pin", item_id="fan", place=1)
    for path in ("", "?n=30"):
        assert await seconds_until(shop, "ann", lambda ids: ids[0] == "fan", path) < IN_FORCE_S
    assert (await shown(shop, "somebody-new"))[0] == "fan"
    explained = (await shop.http.get("/v1/recommendations/ann?explain=true")).json()["items"]
    assert explained[0]["reason"] == "pinned by rule fan-first"

    pinned = ("fan", "pinned by rule fan-first")
    took = await seconds_until_made(
        shop, "cleo", lambda made: made[0] == pinned and "cup" not in dict(made)
    )
    assert took < IN_FORCE_S

    (newest, *_) = (await shop.http.get("/v1/rules:changes")).json()["changes"]
    assert newest["rule_id"] == "fan-first"
    assert newest["key_note"] == "a test's"
    undone = await shop.http.post("/v1/rules:undo", json={"change_id": newest["change_id"]})
    assert undone.json()["undoes"] == newest["change_id"]
    assert "fan" not in (await shown(shop, "ann"))[:1]
    assert "fan-first" not in {one["rule_id"] for one in await rules(shop.http)}
    again = await shop.http.post("/v1/rules:undo", json={"change_id": newest["change_id"]})
    assert again.status_code == 409, "the rule was changed since"

    await put(shop.http, "pot-down", kind="boost", item_id="pot", factor=0.001)
    for path in ("", "?n=30"):
        sunk = await seconds_until(shop, "ann", lambda ids: ids.index("pot") > 1, path)
        assert sunk < IN_FORCE_S
    assert (await shop.http.delete("/v1/rules/pot-down")).status_code == 200
    assert await seconds_until(shop, "ann", lambda ids: ids.index("pot") < 2) < IN_FORCE_S

    async def is_popular() -> bool:
        return "tea" in await shown(shop, "somebody-new")

    await shop.until(is_popular, "what is popular is known")
    assert "cup" not in await shown(shop, "somebody-new")
    assert (await shop.http.delete("/v1/rules/no-cups")).status_code == 200
    for user in ("ann", "somebody-new"):  # a list that was stored, and the popular one
        assert await seconds_until(shop, user, lambda ids: "cup" in ids) < IN_FORCE_S
    took = await seconds_until_made(
        shop, "dora", lambda made: "cup" in dict(made) and made[0] != pinned
    )
    assert took < IN_FORCE_S


async def rules(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = (await http.get("/v1/rules")).json()["rules"]
    return told


async def test_a_change_is_told_with_what_stood_before(shop: Gate) -> None:
    await put(shop.http, "changing", kind="boost", category="pottery", factor=2)
    await put(shop.http, "changing", kind="boost", category="pottery", factor=3)
    await shop.http.delete("/v1/rules/changing")
    changes = (await shop.http.get("/v1/rules:changes", params={"limit": 3})).json()["changes"]
    factors = [
        tuple(change.get(side, {}).get("factor") for side in ("before", "after"))
        for change in changes
    ]
    assert factors == [(3.0, None), (2.0, 3.0), (None, 2.0)]
    undone = await shop.http.post("/v1/rules:undo", json={"change_id": changes[0]["change_id"]})
    assert undone.json()["after"]["factor"] == 3.0, "what was deleted is there again"
    await shop.http.delete("/v1/rules/changing")


@pytest.mark.parametrize(
    ("rule", "terms", "names"),
    [
        ("UPPER", {"kind": "hide", "item_id": "a"}, "rule"),
        ("x", {"kind": "hide"}, "item_id or category"),
        ("x", {"kind": "pin", "item_id": "a"}, "place"),
        ("x", {"kind": "bury", "item_id": "a"}, "kind"),
        ("x", {"kind": "boost", "item_id": "a", "factor": 0}, "factor"),
        ("x", {"kind": "hide", "item_id": "a", "colour": "red"}, "colour"),
    ],
)
async def test_what_is_no_rule_is_refused_and_named(
    shop: Gate, rule: str, terms: dict[str, Any], names: str
) -> None:
    answer = await put(shop.http, rule, **terms)
    assert answer.status_code == 400
    assert names in answer.json()["detail"]


async def test_rules_are_their_tenants_and_need_an_administrator(shop: Gate) -> None:
    await put(shop.http, "ours", kind="hide", item_id="tea")
    reader = key_for(shop.settings, TENANT, Scope.LISTS_READ)
    stranger = key_for(shop.settings, OTHER)
    async with caller(shop.door, reader) as http, caller(shop.door, stranger) as other:

        async def are_known() -> bool:
            codes = [(await one.get("/v1/key")).status_code for one in (http, other)]
            return codes == [200, 200]

        await shop.until(are_known, "the new keys are in force")
        assert (await http.get("/v1/rules")).status_code == 403
        assert (await put(http, "theirs", kind="hide", item_id="tea")).status_code == 403
        assert await rules(other) == []
        assert (await other.get("/v1/rules:changes")).json()["changes"] == []
        assert (await other.delete("/v1/rules/ours")).status_code == 404
    await shop.http.delete("/v1/rules/ours")
    assert (await shop.http.delete("/v1/rules/ours")).status_code == 404
