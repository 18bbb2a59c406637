"""`GET /v1/recommendations/{user}` where nothing but `n` is asked: plain ASGI, one read of Redis.

The route of the same path in routes/recommendations.py answers all else, and describes both."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from millstream.gateway import telemetry
from millstream.gateway.callers import Caller
from millstream.gateway.stored_lists import Found, StoredLists

PATH = b"/v1/recommendations/"
ROUTE = "/v1/recommendations/{user}"
DEFAULT_N = 10
STORED_N = 20
"""As many as a stored list has: for more the list is made anew."""
MAX_USER_CHARS = 129

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_N = re.compile(rb"n=([1-9]|1[0-9]|20)")
_encode = msgspec.json.Encoder().encode
_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_ok = telemetry.REQUESTS.labels(ROUTE, "200")


class HotLists:
    def __init__(self, lists: StoredLists) -> None:
        self._lists = lists

    async def answer(self, scope: MutableMapping[str, Any], caller: Caller, send: Send) -> bool:
        """False, and nothing was sent, for a request that is not of this plain kind. The caller
        may read lists: that was checked."""
        asked = _asked(scope)
        if asked is None:
            return False
        user, n = asked
        found = await self._lists.find(caller.tenant, caller.shopper(user), n)
        body = render(user, found)
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [*_HEADERS, (b"content-length", b"%d" % len(body))],
            }
        )
        await send({"type": "http.response.body", "body": body})
        _ok.inc()
        return True


def render(user: str, found: Found) -> bytes:
    """As answers.Answer."""
    told: dict[str, object] = {
        "recommendation_id": found.recommendation_id,
        "user": user,
        "model_version": found.model_version,
        "variant": found.variant,
        "items": found.items,
    }
    if found.stale:
        told["stale"] = True
    return _encode(told)


def _asked(scope: MutableMapping[str, Any]) -> tuple[str, int] | None:
    query = scope["query_string"]
    n = DEFAULT_N
    if query:
        matched = _N.fullmatch(query)
        if matched is None:
            return None
        n = int(matched[1])
    raw = scope["raw_path"][len(PATH) :]
    if not raw or b"/" in raw:
        return None
    try:
        user = (unquote_to_bytes(raw) if b"%" in raw else raw).decode()
    except UnicodeDecodeError:
        return None
    # What no event can carry is refused by the other route, which says so.
    plain = user.isascii() and user.isprintable() and "{" not in user and "}" not in user
    return (user, n) if plain and len(user) <= MAX_USER_CHARS and user != "~" else None
