"""A tenant that floods a gateway: what `bench gateway-flood` runs beside a quiet one.

`python -m benchmarks.http_flood`, told what on the first line of stdin: so many connections send
batches of 500 events, each again as soon as it is answered, whatever Retry-After says, until stdin
ends. An answer but 202, 429 with Retry-After or 503 ends it with exit code 1."""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
import time

import msgspec
import uvloop
from benchmarks.http_load import Asking
from msgspec import Struct

from millstream.domain.clock import as_datetime, wall_clock
from millstream.gateway.intake import MAX_BATCH

BODIES = 20
_RETRY_AFTER = re.compile(rb"\r\nretry-after: \d+", re.IGNORECASE)


class Flood(Struct, frozen=True):
    host: str
    port: int
    token: str
    connections: int


class Poured(Struct):
    """`sent` events, of which `accepted` are acknowledged; `refused` requests by 429."""

    seconds: float = 0.0
    accepted: int = 0
    refused: int = 0
    away: int = 0


class Pouring(Asking):
    poured: Poured

    def takes(self, head: bytes, _body: bytes) -> bool:
        status = head[9:12]
        self.poured.accepted += MAX_BATCH * (status == b"202")
        self.poured.refused += status == b"429"
        self.poured.away += status == b"503"
        return status in {b"202", b"503"} or (status == b"429" and bool(_RETRY_AFTER.search(head)))


async def pour(flood: Flood) -> Poured:
    """Raises SystemExit where an answer is none of those."""
    loop, failed, poured = asyncio.get_running_loop(), asyncio.Event(), Poured()
    requests = itertools.cycle([_request(flood, number) for number in range(BODIES)])
    opened: list[asyncio.Transport] = []
    for _ in range(flood.connections):
        one = Pouring(requests, [], failed)
        one.poured = poured
        transport, _ = await loop.create_connection(lambda one=one: one, flood.host, flood.port)  # type: ignore[misc]
        opened.append(transport)
    began = time.perf_counter()
    is_over = asyncio.ensure_future(asyncio.to_thread(sys.stdin.buffer.read))
    has_failed = asyncio.ensure_future(failed.wait())
    await asyncio.wait((is_over, has_failed), return_when=asyncio.FIRST_COMPLETED)
    if has_failed.done():
        raise SystemExit("an answer that is none")
    poured.seconds = time.perf_counter() - began
    has_failed.cancel()
    for transport in opened:
        transport.abort()
    return poured


def _request(flood: Flood, number: int) -> bytes:
    now = as_datetime(wall_clock()).isoformat()
    events = [
        {
            "event_id": f"flood-{number}-{n}",
            "type": "view_item",
            "time": now,
            "user_id": f"shopper-{number * MAX_BATCH + n}",
            "items": [{"item_id": f"item-{n}"}],
        }
        for n in range(MAX_BATCH)
    ]
    body = msgspec.json.encode({"events": events})
    return (
        f"POST /v1/events HTTP/1.1\r\nHost: {flood.host}:{flood.port}\r\n"
        f"Authorization: Bearer {flood.token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.readline(), type=Flood)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.buffer.write(msgspec.json.encode(runner.run(pour(given))))
