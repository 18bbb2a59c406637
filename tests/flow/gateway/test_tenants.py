"""Two tenants with the same shoppers' names and other goods, in one deployment: what one of them
sees, and what stands in Redis under its name, says nothing of the other; each has lists by ranking
settings of its own."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from tests.builders import event
from tests.gateway import OTHER, TENANT, Gate, caller, gate, key_for

from millstream.domain.clock import as_datetime, wall_clock
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.stores.redis import connect
from millstream.stores.tenant_ledger import FATES

pytestmark = pytest.mark.asyncio(loop_scope="module")
SHOPPERS = [f"ann-{n}" for n in range(6)]
GOODS = {TENANT: [f"tea-{n}" for n in range(8)], OTHER: [f"saw-{n}" for n in range(8)]}
EVENTS = 120
KINDS = ("add_to_cart", "purchase", "add_to_wishlist")
OWN = '{"list_length": 3, "looked_at": 0}'
"""Ranking settings of OTHER; those of TENANT are everybody's."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(
    tansu: Tansu, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gate]:
    home = tmp_path_factory.mktemp("gate")
    folder = home / "rankings"
    folder.mkdir()
    (folder / f"{OTHER}.json").write_text(OWN)
    async with gate(tansu, valkey, home, ranking_dir=folder) as opened:
        yield opened


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
    await shop.deployment.start("recommender", ranking_dir=shop.settings.ranking_dir)
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
            await lists_are_by_its_own_settings(http, tenant)
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


async def lists_are_by_its_own_settings(http: httpx.AsyncClient, tenant: str) -> None:
    """The stored ones, that a recommender made, and those that the gateway makes."""
    name, item = SHOPPERS[0], GOODS[tenant][0]
    for path in (f"/v1/recommendations/{name}?n=8", f"/v1/previews?item={item}"):
        items = (await http.get(path)).json()["items"]
        assert (len(items) == 3) is (tenant == OTHER), path
    answer = await http.post("/v1/recommendations:session", json={"items": [item]})
    proposed = {one["item_id"] for one in answer.json()["items"]}
    assert (item in proposed) is (tenant == TENANT)


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
