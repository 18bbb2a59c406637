"""Load over HTTP from a process of its own: `python -m benchmarks.http_load`, told what on stdin.

So many connections, each of which asks again once it is answered. Nothing but an answer of
status 200 counts, and no list from memory; anything else ends the run with exit code 1."""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
import time
from collections.abc import Iterator
from typing import cast

import msgspec
import numpy as np
import uvloop
from msgspec import Struct

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Load(Struct, frozen=True):
    host: str
    port: int
    paths: list[str]
    """Asked for in turn."""
    token: str
    connections: int
    warm_up_s: float
    seconds: float
    pause_s: float = 0.0
    """Between an answer and the next question."""


class Told(Struct, frozen=True):
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    requests: int
    last_body: str


class Asking(asyncio.Protocol):
    """One connection. `times` gets (when, how long) of each answer, in seconds."""

    def __init__(
        self,
        requests: Iterator[bytes],
        times: list[tuple[float, float]],
        failed: asyncio.Event,
        pause_s: float = 0.0,
    ) -> None:
        self._requests = requests
        self._times = times
        self._failed = failed
        self._pause_s = pause_s
        self._held = b""
        self._asked_at = 0.0
        self.last = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, parted, body = self._held.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not parted or length is None or len(body) < int(length[1]):
            return
        now = time.perf_counter()
        self._times.append((now, now - self._asked_at))
        if not self.takes(head, body):
            self.last = self._held
            self._failed.set()
            return
        self.last, self._held = body, b""
        if self._pause_s:
            asyncio.get_running_loop().call_later(self._pause_s, self._ask)
        else:
            self._ask()

    def takes(self, head: bytes, body: bytes) -> bool:
        """Whether that is an answer; one that is none ends the run."""
        return head.startswith(b"HTTP/1.1 200") and b'"stale"' not in body

    def connection_lost(self, _error: Exception | None) -> None:
        self._failed.set()

    def _ask(self) -> None:
        if self._transport.is_closing():
            return
        self._asked_at = time.perf_counter()
        self._transport.write(next(self._requests))


async def ask(load: Load) -> Told:
    """Raises SystemExit where an answer is not 200, or a connection is lost."""
    loop = asyncio.get_running_loop()
    requests = itertools.cycle(_request(load, path) for path in load.paths)
    times: list[tuple[float, float]] = []
    failed = asyncio.Event()
    asking = [Asking(requests, times, failed, load.pause_s) for _ in range(load.connections)]
    for one in asking:
        await loop.create_connection(lambda one=one: one, load.host, load.port)  # type: ignore[misc]
    begins = time.perf_counter() + load.warm_up_s
    ends = begins + load.seconds
    try:
        async with asyncio.timeout(load.warm_up_s + load.seconds):
            await failed.wait()
    except TimeoutError:
        pass
    else:
        raise SystemExit(f"an answer that is none: {asking[0].last[:300]!r}")
    took = np.array([lasted for when, lasted in times if begins <= when < ends]) * 1000
    p50, p99 = np.percentile(took, [50, 99])
    return Told(
        round(len(took) / load.seconds, 1),
        round(float(p50), 3),
        round(float(p99), 3),
        len(took),
        asking[0].last.decode(),
    )


def _request(load: Load, path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {load.host}:{load.port}\r\n"
        f"Authorization: Bearer {load.token}\r\nAccept: application/json\r\n\r\n"
    ).encode()


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.buffer.write(msgspec.json.encode(runner.run(ask(given))))
