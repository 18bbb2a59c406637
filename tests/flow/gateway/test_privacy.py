"""No raw id beyond the gateway, byte for byte; who is erased by HTTP is erased everywhere,
also where a user was once known by the id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.byte_scan import found_in, in_lake, in_redis, in_topic
from tests.gateway import (
    PATIENCE_S,
    TENANT,
    GatewayProcess,
    key_for,
    settings_of,
    variables_of,
)

from millstream.domain.clock import as_datetime, wall_clock
from millstream.gateway.settings import GatewaySettings
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, ServiceProcess, deployed
from millstream.local.ports import free_port
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.privacy.key_files import newest
from millstream.stores.redis import connect
from millstream.stores.reverse_rows import SqliteRows
from millstream.streaming.topics import DEAD_LETTERS, EVENTS, RECOMMENDATIONS, read_topics

ANN = "ann.planted@example.org"
BOB = "bob-planted-77"
COOKIE = "~cookie-planted-0815"
SHOPPERS = (ANN, BOB, COOKIE)
SPOKEN = ("session-planted-1", "order-planted-4711")
SEEN = "seen-before-the-sign-in"
PLANTED = (ANN, BOB, "cookie-planted-0815", *SPOKEN)


@dataclass(frozen=True)
class Shop:
    deployment: Deployment
    settings: GatewaySettings
    gateway: GatewayProcess
    http: httpx.AsyncClient
    services: tuple[ServiceProcess, ...]

    def pseudonym(self, shopper: str) -> str:
        return newest(TENANT, self.settings.pseudonym_keys_dir).shopper(shopper)

    async def until(self, holds: Callable[[], Awaitable[object]], what: str) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not await holds():
            self.deployment.raise_dead()
            assert asyncio.get_running_loop().time() < deadline, f"{what}: not in {PATIENCE_S} s"
            await asyncio.sleep(0.1)

    async def list_of(self, shopper: str) -> httpx.Response:
        return await self.http.get(f"/v1/recommendations/{shopper}?explain=true")

    async def everywhere(self) -> dict[str, list[bytes]]:
        """By place all bytes that stand there, but for the reverse table."""
        servers = self.settings.kafka_bootstrap_servers
        places = {
            spec.name: [part async for part in in_topic(servers, self.settings.topic(spec.name))]
            for spec in read_topics()
        }
        redis = connect(self.settings.redis_url)
        pairs = [pair async for pair in in_redis(redis, self.settings.redis_prefix)]
        await redis.aclose()
        places["redis"] = [part for pair in pairs for part in pair]
        lake = self.settings.lake_dir
        places["lake"] = list(await asyncio.to_thread(lambda: list(in_lake(lake))))
        processes = [self.gateway, *self.services]
        places["logs"] = [process.log_path.read_bytes() for process in processes]
        return places


@asynccontextmanager
async def opened(tansu: Tansu, valkey: Valkey, home: Path) -> AsyncIterator[Shop]:
    kafka = KafkaEndpoint(tansu.bootstrap_servers, tansu.name, False, 10)
    async with deployed(kafka, RedisEndpoint(valkey.url, valkey.name)) as deployment:
        services = (
            await deployment.start("recommender"),
            await deployment.start("lake", lake_flush_seconds=0.2),
        )
        settings = settings_of(deployment, home, gateway_port=free_port())
        token = key_for(settings)
        gateway = GatewayProcess(settings, variables_of(settings))
        headers = {"authorization": f"Bearer {token}"}
        try:
            await asyncio.to_thread(gateway.start)
            async with httpx.AsyncClient(
                base_url=gateway.url, headers=headers, timeout=PATIENCE_S
            ) as http:
                yield Shop(deployment, settings, gateway, http, services)
        finally:
            await asyncio.to_thread(gateway.close)


def event(shopper: str, kind: str, number: int, **more: Any) -> dict[str, Any]:
    name = shopper.removeprefix("~")
    field = "anonymous_id" if shopper.startswith("~") else "user_id"
    return {
        "event_id": f"{name}-{kind}-{number}",
        "type": kind,
        "time": as_datetime(wall_clock()).isoformat(),
        field: name,
        "session_id": SPOKEN[0],
        **more,
    }


def said_by(shopper: str) -> list[dict[str, Any]]:
    """Ids wherever a shop may put them, and events that are refused."""
    name = shopper.removeprefix("~")
    views = [event(shopper, "view_item", n, items=[{"item_id": f"i{n}"}]) for n in range(4)]
    return [
        *views,
        event(shopper, "search", 0, query=f"orders of {name}", context={"who": name}),
        event(
            shopper,
            "purchase",
            0,
            items=[{"item_id": "i0"}, {"item_id": "i1"}],
            transaction_id=SPOKEN[1],
        ),
        {**views[0], "type": name},
        {**views[0], "time": "2020-01-01T00:00:00Z"},
        {**views[0], "context": {name: {"deep": name}}},
    ]


async def test_raw_ids_stay_at_the_door_and_the_erased_are_forgotten(
    tansu: Tansu, valkey: Valkey, tmp_path: Path
) -> None:
    async with opened(tansu, valkey, tmp_path) as shop:
        await shop_and_be_answered(shop)
        await what_the_visitor_saw_is_known_of_the_user(shop)
        await nothing_raw_is_anywhere(shop)
        await whom_a_pseudonym_stands_for_is_told_to_admins(shop)
        await erased(shop, ANN)
        await who_comes_back_is_known_again(shop, ANN)
        await erased(shop, COOKIE)
        assert SEEN not in await recent_items(shop, BOB)


async def shop_and_be_answered(shop: Shop) -> None:
    for shopper in SHOPPERS:
        answer = await shop.http.post("/v1/events", json={"events": said_by(shopper)})
        assert answer.status_code == 202, answer.text
        told = answer.json()
        assert (told["accepted"], told["refused"]) == (6, 3)
        assert not found_in([answer.content], PLANTED)

        async def has_come(shopper: str = shopper) -> bool:
            told = (await shop.list_of(shopper)).json()
            return told["model_version"] != "none" or bool(told["explanation"]["counts"])

        await shop.until(has_come, "a list of the shopper's own")
        answer = await shop.list_of(shopper)
        assert answer.json()["user"] == shopper
        assert answer.json()["explanation"]["counts"] == {
            "view_item": 4,
            "search": 1,
            "purchase": 1,
        }


async def what_the_visitor_saw_is_known_of_the_user(shop: Shop) -> None:
    """By any later list, though one event alone bore both ids."""
    both = {"anonymous_id": COOKIE.removeprefix("~"), "items": [{"item_id": "i8"}]}
    said = [
        event(COOKIE, "view_item", 7, items=[{"item_id": SEEN}]),
        event(BOB, "view_item", 8, **both),
        event(BOB, "view_item", 9, items=[{"item_id": "i9"}]),
    ]
    for one in said:
        assert (await shop.http.post("/v1/events", json=one)).status_code == 202

    async def is_known() -> bool:
        return {"i9", SEEN} <= set(await recent_items(shop, BOB))

    await shop.until(is_known, "what was seen before the sign-in")
    explanation = (await shop.list_of(BOB)).json()["explanation"]
    assert explanation["counts"] == {"view_item": 6, "search": 1, "purchase": 1}


async def recent_items(shop: Shop, shopper: str) -> list[str]:
    told = (await shop.list_of(shopper)).json()
    return [one["item_id"] for one in told["explanation"]["recent"]]


async def nothing_raw_is_anywhere(shop: Shop) -> None:
    for path in (f"/v1/recommendations/{ANN}?n=0", f"/v1/nothing/{BOB}", f"/v1/users/{COOKIE}"):
        assert (await shop.http.get(path)).status_code in {400, 404}
    refused = await shop.http.get(f"/v1/recommendations/{ANN}", headers={"authorization": BOB})
    assert refused.status_code == 401
    metrics = await shop.http.get("/metrics")
    first = {shop.pseudonym(ANN)}

    async def is_in_the_lake() -> bool:
        parts = await asyncio.to_thread(lambda: list(in_lake(shop.settings.lake_dir)))
        return bool(found_in(parts, first))

    await shop.until(is_in_the_lake, "the lake has the events")
    places = {**await shop.everywhere(), "metrics": [metrics.content]}
    assert {name: found_in(parts, PLANTED) for name, parts in places.items()} == {
        name: set() for name in places
    }
    for name in (EVENTS, RECOMMENDATIONS, "redis", "lake"):
        assert found_in(places[name], first) == first, f"the scan does not see into {name}"
    assert not places[DEAD_LETTERS], "what the gateway refuses is told to the caller alone"
    assert not found_in(places["logs"] + places["metrics"], first)
    assert shop.settings.reverse_table is not None
    assert not found_in([shop.settings.reverse_table.read_bytes()], PLANTED)


async def whom_a_pseudonym_stands_for_is_told_to_admins(shop: Shop) -> None:
    for shopper in SHOPPERS:
        answer = await shop.http.get(f"/v1/pseudonyms/{shop.pseudonym(shopper)}")
        assert (answer.status_code, answer.json()) == (200, {"user": shopper})


async def erased(shop: Shop, shopper: str) -> None:
    pseudonym = shop.pseudonym(shopper)
    assert shop.settings.reverse_table is not None
    with closing(SqliteRows(shop.settings.reverse_table)) as rows:
        row = rows.get(TENANT, pseudonym)
        assert row is not None
        answer = await shop.http.post("/v1/erasures", json={"user": shopper})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["gone"], told
        assert set(told["proof"]) == {"redis", "attribution", "lists", "lake", "reverse"}
        assert rows.get(TENANT, pseudonym) is None
    held = shop.settings.reverse_table.read_bytes()
    assert not any(part in held for part in row), "the entry's bytes or its key are still there"
    assert (await shop.http.get(f"/v1/pseudonyms/{pseudonym}")).status_code == 404
    assert (await shop.list_of(shopper)).json()["explanation"]["counts"] == {}


async def who_comes_back_is_known_again(shop: Shop, shopper: str) -> None:
    view = event(shopper, "view_item", 99, items=[{"item_id": "i1"}])
    assert (await shop.http.post("/v1/events", json=view)).status_code == 202
    answer = await shop.http.get(f"/v1/pseudonyms/{shop.pseudonym(shopper)}")
    assert answer.json() == {"user": shopper}

    async def is_counted() -> bool:
        told = (await shop.list_of(shopper)).json()
        return bool(told["explanation"]["counts"] == {"view_item": 1})

    await shop.until(is_counted, "the shopper's first event since")
