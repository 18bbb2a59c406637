"""Who is let in, how much, how long; with applications and callers of the test's own making."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from millstream.domain.clock import wall_clock
from millstream.domain.lists import Source
from millstream.gateway.api_keys import Scope, create
from millstream.gateway.callers import CALLER, Callers
from millstream.gateway.hot_lists import HotLists
from millstream.gateway.pipeline import Door
from millstream.gateway.rates import Rates
from millstream.gateway.settings import GatewaySettings
from millstream.gateway.stored_lists import Found
from millstream.settings import load
from millstream.stores.served_lists import ServedItem

FOUND = Found("r1", "embedding-v1", (ServedItem("i1", 1.5, Source.COVISITED),), False)


class Stored:
    """Stands for stored_lists.StoredLists."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int]] = []

    async def find(self, tenant: str, shopper: str, n: int) -> Found:
        self.asked.append((tenant, shopper, n))
        return FOUND


@dataclass
class Behind:
    """Stands for the routes: answers 200 with what it was given."""

    takes_s: float = 0.0
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        await asyncio.sleep(self.takes_s)
        self.seen.append({"path": scope["path"], "body": message["body"], CALLER: scope[CALLER]})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"behind"})


@dataclass
class World:
    path: Path
    stored: Stored = field(default_factory=Stored)
    behind: Behind = field(default_factory=Behind)

    def door(self, **changes: Any) -> Door:
        settings = load(GatewaySettings, **changes)
        callers = Callers(self.path, lambda _tenant: None)
        callers.load()
        rates = Rates(settings.gateway_requests_per_second, settings.gateway_events_per_second)
        hot = HotLists(self.stored)  # type: ignore[arg-type]
        return Door(callers, rates, hot, self.behind, settings)

    def http(self, *scopes: Scope, **changes: Any) -> httpx.AsyncClient:
        """With a key of these scopes, or of all; `changes`: of the settings."""
        _, token = create(self.path, "shop", scopes or tuple(Scope), "", wall_clock)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.door(**changes)),
            base_url="http://gateway",
            headers={"authorization": f"Bearer {token}"},
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "keys.json")


async def test_a_plain_request_is_answered_at_the_door(world: World) -> None:
    async with world.http(Scope.LISTS_READ) as http:
        answer = await http.get("/v1/recommendations/ann%40x%2Fy?n=3")
        assert answer.json() == {
            "recommendation_id": "r1",
            "user": "ann@x/y",
            "model_version": "embedding-v1",
            "items": [{"item_id": "i1", "score": 1.5, "source": "covisited"}],
        }
        assert answer.headers["cache-control"] == "no-store"
        assert world.stored.asked == [("shop", "ann@x/y", 3)]
        assert not world.behind.seen


@pytest.mark.parametrize(
    "path",
    [
        "/v1/recommendations/ann?explain=true",
        "/v1/recommendations/ann?n=21",
        "/v1/recommendations/ann?n=0",
        "/v1/recommendations/ann?n=3&n=4",
        "/v1/recommendations/ann/more",
        "/v1/recommendations/",
        "/v1/recommendations/%7Bann%7D",
        "/v1/recommendations/%FF",
        "/v1/recommendations/" + "x" * 130,
        "/v1/recommendationsX/ann",
    ],
)
async def test_all_else_goes_to_the_routes(world: World, path: str) -> None:
    async with world.http() as http:
        assert (await http.get(path)).text == "behind"
        assert not world.stored.asked


async def test_a_key_without_the_scope_is_not_answered_at_the_door(world: World) -> None:
    async with world.http(Scope.EVENTS_WRITE, Scope.ADMIN) as http:
        assert (await http.get("/v1/recommendations/ann")).text == "behind"
        assert not world.stored.asked, "the route's own check says 403"


async def test_without_a_key_only_what_is_open_is_reached(world: World) -> None:
    transport = httpx.ASGITransport(world.door())
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        for path in ("/v1/recommendations/ann", "/v1/events", "/nothing", "/metrics/", "/"):
            answer = await http.get(path)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["title"] == "Unauthorized"
        for path in ("/healthz", "/readyz", "/metrics", "/v1/openapi.json"):
            assert (await http.get(path)).status_code == 200
    assert {seen[CALLER] for seen in world.behind.seen} == {None}


async def test_more_than_a_second_allows_is_told_when_to_come_again(world: World) -> None:
    async with world.http(gateway_requests_per_second=3) as http:
        answers = [await http.get("/v1/recommendations/ann") for _ in range(5)]
        assert [answer.status_code for answer in answers][:3] == [200] * 3
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1


async def test_a_body_is_held_to_its_size_said_or_not(world: World) -> None:
    async def in_parts() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b"x" * 200

    async with world.http(gateway_max_body_bytes=1024) as http:
        assert (await http.post("/v1/events", content=b"x" * 1024)).status_code == 200
        for content in (b"x" * 1025, in_parts()):
            answer = await http.post("/v1/events", content=content)
            assert answer.status_code == 413
            assert answer.headers["content-type"] == "application/problem+json"
    assert [len(seen["body"]) for seen in world.behind.seen] == [1024]


async def test_a_body_that_does_not_come_is_not_waited_for(world: World) -> None:
    sent: list[Any] = []

    async def never() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/healthz", "raw_path": b"/healthz"}
    door = world.door(gateway_request_seconds=0.05)
    await door({**scope, "headers": []}, never, send)
    assert sent[0]["status"] == 408


async def test_work_that_takes_too_long_is_given_up(world: World) -> None:
    world.behind.takes_s = 30
    async with world.http(gateway_request_seconds=0.05) as http:
        answer = await http.get("/v1/models")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
    assert not world.behind.seen
