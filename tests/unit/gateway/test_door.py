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
from millstream.gateway.api_keys import ApiKey, Scope, create
from millstream.gateway.callers import CALLER, Caller, Callers
from millstream.gateway.hot_lists import HotLists
from millstream.gateway.pipeline import Door
from millstream.gateway.rates import Allowed, Rates, rates_of
from millstream.gateway.settings import GatewaySettings
from millstream.gateway.stored_lists import Found
from millstream.settings import load
from millstream.stores.served_lists import ServedItem

FOUND = Found("r1", "embedding-v1", "try:one", (ServedItem("i1", 1.5, Source.COVISITED),), False)


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

    def callers(self) -> Callers:
        made = Callers(self.path, lambda _tenant: None)
        made.load()
        return made

    def door(self, rates: Rates | None = None, **changes: Any) -> Door:
        settings = load(GatewaySettings, **changes)
        usual = rates_of(settings)
        hot = HotLists(self.stored)  # type: ignore[arg-type]
        return Door(self.callers(), rates or usual, hot, self.behind, settings)

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
            "variant": "try:one",
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


async def told(door: Door, key: str, request: str, receive: Any) -> tuple[int, dict[bytes, bytes]]:
    """Status and headers of the answer to a request like `GET /v1/key`."""
    method, path = request.split()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode()}
    headers = [(b"authorization", f"Bearer {key}".encode())]
    await door({**scope, "query_string": b"", "headers": headers}, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"])


def caller_of(key: ApiKey) -> Caller:
    return Caller(key.key_id, key.tenant, frozenset(key.scopes), None, key.note)


async def never_read() -> Any:
    pytest.fail("the body was asked for")


async def a_body() -> Any:
    return {"type": "http.request", "body": b"{}"}


async def test_a_flood_is_refused_unread_and_only_its_own_key(world: World) -> None:
    noisy, quiet = (create(world.path, of, tuple(Scope), "", wall_clock) for of in ("a", "b"))
    rates = Rates(Allowed(2_000, 500), Allowed(4_000, 4_000))
    door = world.door(rates)
    caller = caller_of(noisy[0])
    assert [rates.events(caller, 500) for _ in range(2)] == [0, 1]
    for request in ("POST /v1/events", "POST /v1/reviews", "PUT /v1/items"):
        status, headers = await told(door, noisy[1], request, never_read)
        assert (status, headers[b"retry-after"]) == (429, b"1")
        assert (await told(door, quiet[1], request, a_body))[0] == 200
    assert (await told(door, noisy[1], "GET /v1/recommendations/ann", a_body))[0] == 200


async def test_more_keys_do_not_raise_what_a_tenant_may_ask_for(world: World) -> None:
    keys = [create(world.path, "a", tuple(Scope), "", wall_clock)[1] for _ in range(3)]
    _, quiet = create(world.path, "b", tuple(Scope), "", wall_clock)
    door = world.door(Rates(Allowed(2, 500), Allowed(4, 4_000), lambda: 100.0))
    asked = "GET /v1/recommendations/ann"
    first, second, third = [
        [(await told(door, key, asked, a_body))[0] for _ in "123"] for key in keys
    ]
    assert (first, second, third) == ([200, 200, 429], [200, 200, 429], [429, 429, 429])
    assert (await told(door, quiet, asked, a_body))[0] == 200


async def test_more_keys_do_not_raise_what_a_tenant_may_send(world: World) -> None:
    first, second = (create(world.path, "a", tuple(Scope), "", wall_clock) for _ in range(2))
    _, quiet = create(world.path, "b", tuple(Scope), "", wall_clock)
    rates = Rates(Allowed(2_000, 500), Allowed(4_000, 800))
    door = world.door(rates)
    waits = [rates.events(caller_of(key), 500) for key, _ in (first, second)]
    assert waits == [0, 1]
    for _, token in (first, second):
        assert (await told(door, token, "POST /v1/events", never_read))[0] == 429
    assert (await told(door, quiet, "POST /v1/events", a_body))[0] == 200


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


def from_page(world: World, *scopes: Scope, **changes: Any) -> tuple[httpx.AsyncClient, str]:
    _, token = create(world.path, "shop", scopes, "", wall_clock)
    transport = httpx.ASGITransport(world.door(**changes))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway"), token


async def test_a_page_names_its_key_in_the_address_and_may_read_the_answer(world: World) -> None:
    http, key = from_page(world, Scope.EVENTS_WRITE, gateway_requests_per_second=2)
    async with http:
        answers = [await http.post(f"/v1/events?key={key}", content=b"{}") for _ in range(4)]
    assert [answer.status_code for answer in answers][:2] == [200] * 2
    assert answers[-1].status_code == 429
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-expose-headers"] == "retry-after"
    assert world.behind.seen[0][CALLER].tenant == "shop"


async def test_a_key_that_may_do_more_has_no_place_in_an_address(world: World) -> None:
    for scopes in ((Scope.ADMIN,), (Scope.EVENTS_WRITE, Scope.LISTS_READ), tuple(Scope)):
        http, key = from_page(world, *scopes)
        async with http:
            answer = await http.post(f"/v1/events?key={key}", content=b"{}")
            assert answer.status_code == 401
            assert answer.headers["access-control-allow-origin"] == "*"
    assert not world.behind.seen


async def test_an_address_opens_nothing_but_the_way_in(world: World) -> None:
    http, key = from_page(world, Scope.EVENTS_WRITE)
    async with http:
        for method, path in [
            ("GET", f"/v1/events?key={key}"),
            ("POST", f"/v1/erasures?key={key}"),
            ("GET", f"/v1/key?key={key}"),
            ("POST", f"/v1/events?key={key}&n=1"),
            ("POST", f"/v1/events?key={key}x"),
            ("POST", "/v1/events?key="),
            ("POST", f"/v1/events?n=1&key={key}"),
        ]:
            assert (await http.request(method, path)).status_code == 401, (method, path)
        # What stands in the header goes first.
        spoilt = await http.post(f"/v1/events?key={key}", headers={"authorization": "Bearer no"})
        assert spoilt.status_code == 401
    assert not world.behind.seen


async def test_the_module_is_there_for_pages_of_any_origin(world: World) -> None:
    http, _ = from_page(world, Scope.EVENTS_WRITE)
    async with http:
        told = await http.get("/static/millstream.js")
        assert (told.status_code, told.headers["access-control-allow-origin"]) == (200, "*")
        assert told.headers["content-type"].startswith("text/javascript")
        assert told.headers["cross-origin-resource-policy"] == "cross-origin"
        assert "export function connect" in told.text
        tag = {"if-none-match": told.headers["etag"]}
        again = await http.get("/static/millstream.js", headers=tag)
        assert (again.status_code, again.content) == (304, b"")
        head = await http.head("/static/millstream.js")
        assert (head.status_code, head.content) == (200, b"")
        assert (await http.get("/static/other.js")).status_code == 401
        assert (await http.post("/static/millstream.js")).status_code == 401
