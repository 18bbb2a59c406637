"""The nodes of a Redis Cluster: a plain client for each, and the map of who owns what."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import stamina
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, ConnectionError, RedisError, TimeoutError

from millstream.stores.cluster.routing import Address, SlotMap

AWAY_S = 30.0
"""How long in all a node that does not answer is asked again."""
MAP_S = 2.0
"""A node gets so long to tell the map before another one is asked."""

OpenNode = Callable[[str, int], Redis]
"""(URL, retries on a lost connection) -> client of one server."""

T = TypeVar("T")


class ClusterNodes:
    def __init__(self, url: str, open_node: OpenNode) -> None:
        """`url` names any node; its user, password and TLS go for all."""
        self._url = url
        self._open_node = open_node
        self._reading = asyncio.Lock()
        parts = urlsplit(url)
        self.seed = Address(parts.hostname or "localhost", parts.port or 6379)
        self._clients = {self.seed: open_node(url, 0)}
        self.map = SlotMap()

    def client(self, address: Address) -> Redis:
        """Knows nothing of the other nodes, and does not connect again by itself."""
        if address not in self._clients:
            self._clients[address] = self._open_node(_at(self._url, address), 0)
        return self._clients[address]

    def owner(self, slot: int) -> Redis:
        return self.client(self.map.owner(slot) or self.seed)

    @property
    def masters(self) -> list[Redis]:
        return [self.client(address) for address in self.map.masters]

    async def read_map(self, seen: int | None = None, first: Address | None = None) -> None:
        """From the first node that tells one, `first` before the others. Does nothing where
        another caller took one since generation `seen`. Raises ConnectionError where none does."""
        async with self._reading:
            if seen is not None and seen != self.map.generation:
                return
            asked = [*([first] if first else []), *self.map.masters, self.seed, *self._clients]
            for address in dict.fromkeys(asked):
                with contextlib.suppress(RedisError, OSError, asyncio.TimeoutError):
                    async with asyncio.timeout(MAP_S):
                        rows = await raw(self.client(address), "CLUSTER", "SLOTS")
                    if rows:  # a node that was reset knows none
                        self.map.take(rows, address)
                        return
        raise ConnectionError("no node of the Redis Cluster tells its slots")

    async def while_away(self, call: Callable[[], Awaitable[T]]) -> T:
        """The call, made again with a new map for as long as a node is away. Raises
        ConnectionError or TimeoutError after AWAY_S."""
        try:
            return await call()
        except Exception as error:
            if not is_away(error):
                raise
        async for attempt in stamina.retry_context(
            on=is_away,
            attempts=None,
            timeout=AWAY_S,
            wait_initial=0.05,
            wait_max=1.0,
            wait_jitter=0.05,
        ):
            with attempt:
                await self.read_map()
                return await call()
        raise AssertionError("the last attempt raises")

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()


async def raw(client: Redis, *words: Any) -> Any:
    """The answer as it stands on the wire: two words are no name that redis-py parses by."""
    return await client.execute_command(*words)  # type: ignore[no-untyped-call]


def is_away(error: Exception) -> bool:
    """A wrong password is a ConnectionError to redis-py, and stays wrong."""
    if isinstance(error, AuthenticationError):
        return False
    return isinstance(error, ConnectionError | TimeoutError | OSError)


def _at(url: str, address: Address) -> str:
    """`url` with another host and port."""
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    host = f"[{address.host}]" if ":" in address.host else address.host
    return parts._replace(netloc=f"{credentials}{at}{host}:{address.port}").geturl()
