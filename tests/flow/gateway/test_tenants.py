"""Two tenants with the same shoppers' names and other goods, in one deployment: what one of them
sees, and what stands in Redis under its name, says nothing of the other."""

from __future__ import annotations

import random
from typing import Any

import httpx
import msgspec
import pytest
from redis.asyncio import Redis
from tests.builders import event
from tests.gateway import OTHER, TENANT, Gate, caller, key_for

from millstream.domain.clock import as_datetime, wall_clock
from millstream.stores.redis import connect
from millstream.stores.tenant_ledger import FATES

pytestmark = pytest.mark.asyncio(loop_scope="module")
SHOPPERS = [f"ann-{n}" for n in range(6)]
GOODS = {TENANT: [f"tea-{n}" for n in range(8)], OTHER: [f"saw-{n}" for n in range(8)]}
EVENTS = 120
KINDS = ("add_to_cart", "purchase", "add_to_wishlist")


def goods(tenant: str) -> list[dict[str, Any]]:
    added = as_datetime(wall_clock()).isoformat()
    return [{"item_id": one, "title": one, "added_at": added} for one in GOODS[tenant]]


def looks(tenant: str, seed: int) -> list[dict[str, Any]]:
    """The same ids of events, too."""
    rng = random.Random(seed)
    made = [
        event(f"e{n}", rng.choice(SHOPPERS), *rng.sample(GOODS[tenant], 2), at_ms=wall_clock())
        for n in range(EVENTS)
    ]
    return [msgspec.to_builtins(one) | {"type": rng.choice(KINDS)} for one in made]


async def filled(shop: Gate, http: httpx.AsyncClient, tenant: str, seed: int) -> None:
    async def is_in_force() -> bool:
        return (await http.get("/v1/key")).status_code == 200

    await shop.until(is_in_force, f"the key of {tenant}")
    await http.put("/v1/items", json={"items": goods(tenant)})
    sent = await http.post("/v1/events", json={"events": looks(tenant, seed)})
    assert sent.json()["accepted"] == EVENTS

    async def all_is_counted() -> bool:
        cards = [(await http.get(f"/v1/items/{one}")).json() for one in GOODS[tenant]]
        counted = sum(sum(card.get("counts", {}).values()) for card in cards)
        return counted == 2 * EVENTS and all(card["neighbours"] for card in cards)

    await shop.until(all_is_counted, f"what {tenant}'s shoppers did, and what goes together")


async def test_nothing_of_one_tenant_is_seen_by_another(shop: Gate) -> None:
    await shop.deployment.start("recommender")
    keys = {tenant: key_for(shop.settings, tenant) for tenant in GOODS}
    async with (
        caller(shop.door, keys[TENANT]) as ours,
        caller(shop.door, keys[OTHER]) as theirs,
    ):
        seen = {TENANT: ours, OTHER: theirs}
        for seed, (tenant, http) in enumerate(seen.items()):
            await filled(shop, http, tenant, seed)
        for http in seen.values():
            ledger = (await http.get("/v1/live")).json()["ledger"]
            assert ledger == dict.fromkeys(FATES, 0) | {"acc": EVENTS}
        for tenant, http in seen.items():
            [others] = (names for name, names in GOODS.items() if name != tenant)
            for path in paths(tenant):
                answer = await http.get(path)
                assert answer.status_code == 200, path
                assert any(one in answer.text for one in GOODS[tenant]), f"{path} of {tenant}"
                assert not any(one in answer.text for one in others), f"{path} of {tenant}"
            for one in others:
                card = await http.get(f"/v1/items/{one}")
                assert card.status_code == 404 or card.json()["counts"] == {}
    redis = connect(shop.settings.redis_url)
    try:
        await nothing_crosses_in(redis, shop.settings.redis_prefix)
    finally:
        await redis.aclose()


def paths(tenant: str) -> list[str]:
    one = GOODS[tenant][0]
    return [
        *(f"/v1/recommendations/{name}?n=8&explain=true" for name in SHOPPERS),
        f"/v1/previews?item={one}",
        f"/v1/items/{one}",
        f"/v1/items/{one}/similar",
        "/v1/items",
        f"/v1/items:search?q={one}",
    ]


async def nothing_crosses_in(redis: Redis, prefix: str) -> None:
    """Of every key that names a tenant, name and content; DUMP shows short strings as they are."""
    found: dict[str, int] = dict.fromkeys(GOODS, 0)
    async for key in redis.scan_iter(match=f"{prefix}*", count=1000):
        name = key.decode()
        parts = name.removeprefix(prefix).split(":")
        for tenant in GOODS:
            if tenant in parts:
                [others] = (names for other, names in GOODS.items() if other != tenant)
                content = bytes(await redis.dump(key) or b"")
                assert not any(one.encode() in key + content for one in others), name
                found[tenant] += 1
    assert all(found.values())
