"""START HERE. What becomes of a request.

0. The live page's files (site.py) and the module of a storefront's pages (pages.py): given to
   anyone, they hold nothing of a tenant.
1. Who calls (callers.py): the API key's digest gives tenant and scopes. No key in force: 401.
   Pages may name theirs in the address (pages.py).
2. How much (rates.py): past what a key or its tenant may ask for in a second: 429, saying when
   to come again.
3. A shopper's list with nothing else asked (hot_lists.py): one read of Redis, plain ASGI.
4. All else: the body whole, within its limits (bodies.py: 408, 413), then the route of
   routes/, which asks for its scope (403), does the work and answers within its time (503).
5. Counted (telemetry.py), by route and status.

An event (routes/events.py) is judged (intake.py), its shopper written into the reverse table
(reverse.py), sent under pseudonyms, and told of as accepted once Kafka has it (delivery.py); a
review (routes/reviews.py, review_intake.py) likewise. A list is the stored one (stored_lists.py),
or made for the request (lists.py, live_ranking.py)."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from time import perf_counter
from typing import Any

from millstream.gateway import telemetry
from millstream.gateway.api_keys import Scope
from millstream.gateway.bodies import Gone, Message, Receive, read_body, replayed
from millstream.gateway.callers import CALLER, Caller, Callers
from millstream.gateway.hot_lists import PATH, ROUTE, HotLists, Send
from millstream.gateway.pages import Module, find_of_page, is_of_page, readable
from millstream.gateway.paths import literal
from millstream.gateway.problems import MEDIA_TYPE, Refusal, away, too_many
from millstream.gateway.rates import Rates
from millstream.gateway.settings import GatewaySettings
from millstream.gateway.site import Site

OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/v1/openapi.json"})
"""Answered without a key; nothing of them tells of a tenant."""
API = "/v1/"
CALLER_LEFT = 499
"""Counted, not answered."""
TAKEN_IN = frozenset({"/v1/events", "/v1/items", "/v1/reviews"})
WRITES = frozenset({"POST", "PUT"})
"""Of these paths what is held to the rate of events, by how many there are in the body."""
SLOW = ("/v1/dead-letters", "/v1/erasures")
"""Read whole topics."""

_hot_seconds = telemetry.SECONDS.labels(ROUTE)


class Door:
    """An ASGI application; `api` is the one behind it."""

    def __init__(
        self,
        callers: Callers,
        rates: Rates,
        hot: HotLists,
        api: Any,
        settings: GatewaySettings,
        site: Site | None = None,
    ) -> None:
        self._callers = callers
        self._rates = rates
        self._hot = hot
        self._api = api
        self._settings = settings
        self._files = (Module(),) if site is None else (site, Module())

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._api(scope, receive, send)
            return
        if not scope["path"].startswith(API) and await self._is_file(scope, send):
            return
        if is_of_page(scope):
            send = readable(send)
        began = perf_counter()
        try:
            caller = self._admitted(scope)
        except Refusal as refusal:
            answer = _Answer(send)
            await answer.refuse(refusal)
            _count(scope, answer.status, perf_counter() - began)
            return
        if (
            caller is not None
            and _may_be_hot(scope, caller)
            and await self._hot.answer(scope, caller, send)
        ):
            seconds = perf_counter() - began
            _hot_seconds.observe(seconds)
            telemetry.LIST_SECONDS.labels(caller.tenant).observe(seconds)
            return
        answer = _Answer(send)
        try:
            await self._routed(scope, receive, answer, caller)
        except Gone:
            answer.status = CALLER_LEFT
        except Refusal as refusal:
            await answer.refuse(refusal)
        finally:
            _count(scope, answer.status, perf_counter() - began)

    async def _is_file(self, scope: Message, send: Send) -> bool:
        for files in self._files:
            if await files.answer(scope, send):
                return True
        return False

    def _admitted(self, scope: Message) -> Caller | None:
        """None for what needs no key. Raises Refusal."""
        if scope["path"] in OPEN:
            return None
        for name, value in scope["headers"]:
            if name == b"authorization":
                caller = self._callers.find(value)
                break
        else:
            caller = find_of_page(self._callers, scope) if is_of_page(scope) else None
        if caller is None:
            raise _unknown()
        wait = self._rates.request(caller)
        if not wait and scope["path"] in TAKEN_IN and scope["method"] in WRITES:
            # Before the body is read: to refuse a flood is not to cost what it would to take it.
            wait = self._rates.refused(caller)
        if wait:
            raise too_many(wait)
        return caller

    async def _routed(
        self, scope: Message, receive: Receive, answer: _Answer, caller: Caller | None
    ) -> None:
        settings = self._settings
        body = await read_body(
            scope, receive, settings.gateway_max_body_bytes, settings.gateway_request_seconds
        )
        path = literal(scope["raw_path"])
        slow = path.startswith(SLOW)
        limit = settings.gateway_admin_seconds if slow else settings.gateway_request_seconds
        scope["path"], scope[CALLER] = path, caller
        try:
            async with asyncio.timeout(limit):
                await self._api(scope, replayed(body, receive), answer)
        except TimeoutError:
            raise away(f"this took longer than {limit:g} s") from None


class _Answer:
    """Passes an answer on and knows its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Nothing where an answer has begun: it breaks off, as it must."""
        if self.status:
            return
        body = refusal.body()
        told = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **refusal.headers}
        headers = [(name.encode(), value.encode()) for name, value in told.items()]
        await self(
            {"type": "http.response.start", "status": int(refusal.status), "headers": headers}
        )
        await self({"type": "http.response.body", "body": body})


def _may_be_hot(scope: Message, caller: Caller) -> bool:
    return (
        scope["method"] == "GET"
        and scope["raw_path"].startswith(PATH)
        and Scope.LISTS_READ in caller.scopes
    )


def _unknown() -> Refusal:
    return Refusal(HTTPStatus.UNAUTHORIZED, "an API key in force: `Authorization: Bearer KEY`")


def _count(scope: Message, status: int, seconds: float) -> None:
    """By the route's template: a path holds ids."""
    route = scope.get("path_template") or "none"
    telemetry.REQUESTS.labels(route, str(status)).inc()
    telemetry.SECONDS.labels(route).observe(seconds)
