"""A storefront's own pages: the module they load, and events whose key stands in the address.

sendBeacon can't set a header. So `POST /v1/events?key=KEY` is taken too, of a key that may write
events and nothing else: everyone who reads the page has it. Other origins may read the answer, and
what is sent as text/plain needs no preflight; there are no cookies that a page could misuse."""

from __future__ import annotations

import hashlib
import re
from collections.abc import MutableMapping
from importlib.resources import files
from typing import Any

from millstream.gateway import telemetry
from millstream.gateway.api_keys import Scope
from millstream.gateway.callers import Caller, Callers
from millstream.gateway.hot_lists import Send

MODULE = "/static/millstream.js"
EVENTS = "/v1/events"

_KEY = re.compile(rb"key=([A-Za-z0-9_-]+)")
_ANY_ORIGIN = (b"access-control-allow-origin", b"*")
_READABLE = [_ANY_ORIGIN, (b"access-control-expose-headers", b"retry-after")]


def is_of_page(scope: MutableMapping[str, Any]) -> bool:
    if scope["path"] != EVENTS or scope["method"] != "POST":
        return False
    query: bytes = scope["query_string"]
    return query.startswith(b"key=")


def find_of_page(callers: Callers, scope: MutableMapping[str, Any]) -> Caller | None:
    """None for a key that may do more than write events: it has no place in a page."""
    matched = _KEY.fullmatch(scope["query_string"])
    caller = None if matched is None else callers.find(b"bearer " + matched[1])
    return caller if caller is not None and caller.scopes == {Scope.EVENTS_WRITE} else None


def readable(send: Send) -> Send:
    """For a page of another origin."""

    async def told(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_READABLE]}
        await send(message)

    return told


class Module:
    """Plain ASGI, as the live page's files: read at start, given to anyone."""

    def __init__(self) -> None:
        self._body = files("millstream.gateway").joinpath("static/millstream.js").read_bytes()
        self._tag = f'"{hashlib.sha256(self._body).hexdigest()[:16]}"'.encode()

    async def answer(self, scope: MutableMapping[str, Any], send: Send) -> bool:
        """False, and nothing was sent, for another path."""
        if scope["path"] != MODULE or scope["method"] not in {"GET", "HEAD"}:
            return False
        held = (b"if-none-match", self._tag) in scope["headers"]
        body = b"" if held or scope["method"] == "HEAD" else self._body
        headers = [
            _ANY_ORIGIN,
            (b"cross-origin-resource-policy", b"cross-origin"),
            (b"content-type", b"text/javascript; charset=utf-8"),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-cache"),  # asked each time, answered 304 while nothing changed
            (b"etag", self._tag),
        ]
        if not held:
            headers.append((b"content-length", b"%d" % len(self._body)))
        status = 304 if held else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        telemetry.REQUESTS.labels(MODULE, str(status)).inc()
        return True
