"""The module of a storefront's pages in a real Chromium: a page of another origin, left, closed and
come back to, and what is counted of it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.needed import not_here

from millstream.domain.clock import wall_clock
from millstream.gateway.api_keys import Scope, create
from millstream.local import browsers
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, deployed
from millstream.local.ports import LOOPBACK, free_port
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey

pytestmark = [pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]
PATIENCE_S = 60.0
DRIVE_S = 120
TENANT = "shop"
DRIVER = Path(__file__).parent / "storefront.mjs"


@dataclass(frozen=True)
class Visit:
    """`seen`: by the page; `gateway`: asked with a key that reads."""

    seen: dict[str, Any]
    gateway: httpx.AsyncClient
    deployment: Deployment

    async def count(self, item: str, event_type: str) -> int:
        answer = await self.gateway.get(f"/v1/items/{item}")
        return int(answer.raise_for_status().json()["counts"].get(event_type, 0))

    async def counted(self, item: str, event_type: str) -> int:
        """Once it is."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not (found := await self.count(item, event_type)):
            self.deployment.raise_dead()
            assert asyncio.get_running_loop().time() < deadline, f"{item}: not in {PATIENCE_S} s"
            await asyncio.sleep(0.05)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visit(tansu: Tansu, valkey: Valkey) -> AsyncIterator[Visit]:
    reason = browsers.availability()
    if reason is not None:
        not_here(reason)
    kafka = KafkaEndpoint(tansu.bootstrap_servers, tansu.name, False, 10)
    async with deployed(kafka, RedisEndpoint(valkey.url, valkey.name)) as deployment:
        keys, port = deployment.home / "api-keys.json", free_port()
        _, writes = create(keys, TENANT, (Scope.EVENTS_WRITE,), "pages", wall_clock)
        _, all_of_it = create(keys, TENANT, tuple(Scope), "a test's", wall_clock)
        await deployment.start("recommender")
        await deployment.start(
            "gateway", gateway_port=port, gateway_api_keys=keys, gateway_pseudonyms=False
        )
        headers = {"authorization": f"Bearer {all_of_it}"}
        address = f"http://{LOOPBACK}:{port}"
        async with httpx.AsyncClient(base_url=address, headers=headers) as gateway:
            opened = Visit({}, gateway, deployment)
            await asyncio.gather(deployment.recommender_ready(), is_ready(opened))
            await name_items(gateway)
            seen = await asyncio.to_thread(browse, address, writes)
            yield Visit(seen, gateway, deployment)


async def is_ready(opened: Visit) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        opened.deployment.raise_dead()
        try:
            if (await opened.gateway.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert asyncio.get_running_loop().time() < deadline, f"not ready in {PATIENCE_S} s"
        await asyncio.sleep(0.05)


async def name_items(gateway: httpx.AsyncClient) -> None:
    items = [
        {"item_id": name, "title": name, "added_at": "2026-01-01T00:00:00Z"}
        for name in ("open", "left", "closed", "back", "after")
    ]
    (await gateway.put("/v1/items", json={"items": items})).raise_for_status()


def browse(gateway: str, key: str) -> dict[str, Any]:
    given = {
        "gateway": gateway,
        "key": key,
        "wrong_key": f"{key}x",
        "chromium": browsers.chromium(),
        "modules": str(browsers.modules()),
    }
    done = subprocess.run(
        [browsers.node(), str(DRIVER)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=DRIVE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


async def test_while_a_page_is_open_the_gateway_is_heard(visit: Visit) -> None:
    assert visit.seen["faults"] == []
    assert [way for way in visit.seen["ways"] if way.startswith("/open")] == ["/open fetch"] * 2
    assert await visit.counted("open", "view_item") == 1
    assert visit.seen["troubles"] == [
        {"kind": "lost", "count": 1, "reason": "the gateway answers 401"}
    ]
    assert visit.seen["cookies"] == 0


@pytest.mark.parametrize(("page", "event_type"), [("left", "add_to_cart"), ("closed", "view_item")])
async def test_the_last_event_of_a_page_arrives_by_beacon(
    visit: Visit, page: str, event_type: str
) -> None:
    assert f"beacon /{page}" in visit.seen["beacons"]
    assert f"/{page} fetch" not in visit.seen["ways"]
    assert await visit.counted(page, event_type) == 1


async def test_what_a_page_that_comes_back_sends_again_counts_once(visit: Visit) -> None:
    assert "beacon /back" in visit.seen["beacons"]
    assert "/back fetch" in visit.seen["ways"]
    assert (visit.seen["waiting_when_back"], visit.seen["waiting_at_last"]) == (1, 0)
    assert await visit.counted("after", "view_item") == 1
    assert await visit.count("back", "view_item") == 1
