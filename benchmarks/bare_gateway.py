"""The least that an HTTP server can do to give a stored list: `python -m benchmarks.bare_gateway`.

A raw ASGI handler on the same uvicorn: one read of Redis by the same client, the stored form
rendered by the gateway's own code, the bytes. No key, scope, limit, pseudonym, time limit, metric
nor memory of the last list."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvloop

from millstream import logs
from millstream.domain.lists import Origin, recommendation_id
from millstream.gateway.ground import quickly_connected
from millstream.gateway.hot_lists import DEFAULT_N, PATH, render
from millstream.gateway.server import server_of
from millstream.gateway.settings import GatewaySettings
from millstream.gateway.stored_lists import Found
from millstream.settings import load
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.redis import read_slots
from millstream.stores.served_lists import ServedLists, unpack
from millstream.streaming.topics import EVENTS

TENANT = "bare"

Message = MutableMapping[str, Any]


class BareLists:
    """An ASGI application: GET PATH + the name that a list is stored under."""

    def __init__(self, served: ServedLists, numbers: ItemNumbers, events_topic: str) -> None:
        self._served = served
        self._numbers = numbers
        self._topic = events_topic

    async def __call__(
        self,
        scope: Message,
        _receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        user = scope["raw_path"][len(PATH) :].decode()
        packed = await self._served.packed(TENANT, user)
        if packed is None:
            body, status = b"{}", 404
        else:
            body, status = self._rendered(user, packed), 200
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _rendered(self, user: str, packed: bytes) -> bytes:
        stored = unpack(packed, self._numbers.names(TENANT), DEFAULT_N)
        _, partition, offset = stored.freshness
        made_of = recommendation_id(TENANT, user, Origin(self._topic, partition, offset))
        found = Found(made_of, stored.model_version, stored.variant, stored.items, False)
        return render(user, found)


async def _serve(settings: GatewaySettings) -> None:
    redis = await quickly_connected(settings)
    keys = Keys(settings.redis_prefix)
    numbers = ItemNumbers(redis, keys)
    await numbers.load()
    served = ServedLists(redis, keys, await read_slots(redis, keys), numbers)
    app = BareLists(served, numbers, settings.topic(EVENTS))
    try:
        await server_of(app, settings, lifespan="off").serve()
    finally:
        await redis.aclose()


if __name__ == "__main__":
    logs.configure("WARNING")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(load(GatewaySettings)))
