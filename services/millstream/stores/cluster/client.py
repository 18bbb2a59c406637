"""A Redis Cluster as the stores see it: a Redis like any other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import MovedError

from millstream.stores.calls import patiently, replies
from millstream.stores.cluster.call import ClusterCall
from millstream.stores.cluster.nodes import ClusterNodes, OpenNode
from millstream.stores.cluster.routing import Address, hash_slot, reached

T = TypeVar("T")


class ClusterRedis(Redis):
    """A pipeline is cut by node; one made with transaction=True goes to the node of its first key.

    Single commands raise as `calls.replies` does, and ValueError where they name no key."""

    def __init__(self, url: str, open_node: OpenNode) -> None:
        """Connects to nothing; see ClusterNodes for `url`."""
        self.nodes = ClusterNodes(url, open_node)
        super().__init__(connection_pool=self.nodes.client(self.nodes.seed).connection_pool)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:  # noqa: ARG002
        return _BoundPipeline(self) if transaction else _CutPipeline(self)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        pipeline = self.pipeline(transaction=False)
        pipeline.pipeline_execute_command(*args, **options)  # type: ignore[no-untyped-call]
        (answer,) = await replies(pipeline)
        return answer

    async def scan_iter(  # type: ignore[override]  # the asynchronous half of the two it is
        self, *args: Any, **options: Any
    ) -> AsyncIterator[Any]:
        """Over all masters. A key whose slot moves meanwhile may be missed or come twice."""
        for master in self.nodes.masters:
            async for key in master.scan_iter(*args, **options):
                yield key

    async def aclose(self, close_connection_pool: Any = None) -> None:  # noqa: ARG002
        await self.nodes.aclose()


class _CutPipeline(Pipeline):
    def __init__(self, cluster: ClusterRedis) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, False, None)
        self._nodes = cluster.nodes

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Raises as `calls.replies` does; without `raise_on_error` as `ClusterCall.answers` does,
        and what a node refused for whatever reason is its answer."""
        if raise_on_error:
            return await replies(self)
        commands, self.command_stack = self.command_stack, []
        return await ClusterCall(self._nodes, commands).answers()


class _BoundPipeline(Pipeline):
    """Follows no redirection: what was watched would be lost. After MovedError the map is right."""

    def __init__(self, cluster: ClusterRedis) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, True, None)
        self._nodes = cluster.nodes
        self._bound = False

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if not self._bound:
            owner = self._nodes.owner(hash_slot(args))
            self.connection_pool, self._bound = owner.connection_pool, True
        return super().execute_command(*args, **options)

    async def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        try:
            return await super().parse_response(connection, command_name, **options)
        except MovedError as moved:
            told_by = Address(connection.host, connection.port)
            owner = reached(moved.host, moved.port, told_by)
            self._nodes.map.moved(moved.slot_id, owner)
            raise


def masters(redis: Redis) -> list[Redis]:
    """A client for each server that holds keys; of one server, itself."""
    return redis.nodes.masters if isinstance(redis, ClusterRedis) else [redis]


async def on_every_master(redis: Redis, *command: Any) -> list[Any]:
    """What a command without a key answers on each. Raises as `calls.replies` does, and
    ConnectionError or TimeoutError where a server stays away."""
    if not isinstance(redis, ClusterRedis):
        return [await _asked(redis, command)]
    nodes = redis.nodes

    async def ask_all() -> list[Any]:
        return await asyncio.gather(*(_asked(master, command) for master in nodes.masters))

    return await nodes.while_away(ask_all)


async def transacted(redis: Redis, call: Callable[[], Awaitable[T]]) -> T:
    """`call`, which makes one transaction and may be made twice, again while it raises TryLater
    and, of a cluster, while a node is away. Raises Halt as `calls.replies` does."""
    if isinstance(redis, ClusterRedis):
        nodes = redis.nodes
        return await patiently(lambda: nodes.while_away(call))
    return await patiently(call)


async def _asked(redis: Redis, command: tuple[Any, ...]) -> Any:
    pipeline = redis.pipeline(transaction=False)
    pipeline.execute_command(*command)
    (answer,) = await replies(pipeline)
    return answer
