"""The live page's files: read at start, given to anyone, and holding nothing of any tenant.

What the page shows it asks of the routes, with the API key of whoever looks at it."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from millstream.gateway import telemetry
from millstream.gateway.hot_lists import Send

ROOT = "/page/"
ROUTE = "/page"
_TYPES = {
    "html": b"text/html; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
    "txt": b"text/plain; charset=utf-8",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SAFETY = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-cache"),  # asked each time, answered 304 while nothing changed
]


@dataclass(frozen=True, slots=True)
class File:
    kind: bytes
    body: bytes
    tag: bytes


class Site:
    """Plain ASGI; `files` by path below ROOT, the empty path being the page itself."""

    def __init__(self, held: dict[str, File]) -> None:
        self._files = held

    async def answer(self, scope: MutableMapping[str, Any], send: Send) -> bool:
        """False, and nothing was sent, for a path that is none of the page's."""
        path = scope["path"]
        if scope["method"] not in {"GET", "HEAD"} or not (path == "/" or path.startswith(ROUTE)):
            return False
        if path in {"/", ROUTE}:
            await _send(send, 307, [(b"location", ROOT.encode())])
            return True
        found = self._files.get(path.removeprefix(ROOT))
        if found is None:
            await _send(send, 404, [])
        elif _has(scope, found.tag):
            await _send(send, 304, [*_SAFETY, (b"etag", found.tag)])
        else:
            headers = [*_SAFETY, (b"etag", found.tag), (b"content-type", found.kind)]
            await _send(send, 200, headers, found.body, scope["method"] == "HEAD")
        return True


def site() -> Site:
    """Of the files shipped with the package."""
    held = dict(_read(files("millstream.gateway").joinpath("page"), ""))
    return Site({**held, "": held["index.html"]})


def _read(folder: Traversable, below: str) -> list[tuple[str, File]]:
    found: list[tuple[str, File]] = []
    for entry in folder.iterdir():
        name = f"{below}{entry.name}"
        if entry.is_dir():
            found += _read(entry, f"{name}/")
        elif kind := _TYPES.get(entry.name.rpartition(".")[2]):
            body = entry.read_bytes()
            tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'.encode()
            found.append((name, File(kind, body, tag)))
    return found


def _has(scope: MutableMapping[str, Any], tag: bytes) -> bool:
    return any(name == b"if-none-match" and value == tag for name, value in scope["headers"])


async def _send(
    send: Send,
    status: int,
    headers: list[tuple[bytes, bytes]],
    body: bytes = b"",
    head: bool = False,
) -> None:
    length = [] if status == 304 else [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": b"" if head else body})
    telemetry.REQUESTS.labels(ROUTE, str(status)).inc()
