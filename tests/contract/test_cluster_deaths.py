"""Masters of a Redis Cluster that die under load: back again, or followed by their replica."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from functools import partial
from itertools import count

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot
from tests.contract.cluster_load import Load, until
from tests.redis_cluster import (
    HASH_SLOTS,
    MASTERS,
    Cluster,
    client_of,
    cluster_of,
    node_of,
    url_of,
)

from millstream.local.valkey import Valkey
from millstream.stores.cluster import ClusterRedis, masters
from millstream.stores.redis import connect, load_functions


@pytest.fixture
def durable_cluster() -> Iterator[Cluster]:
    """Of its own: its masters are killed."""
    with cluster_of(Valkey, durable=True) as cluster:
        yield cluster


async def test_counts_stay_exact_when_a_master_is_killed(
    durable_cluster: Cluster, prefix: str
) -> None:
    """Its connections are lost under load; then the others call the whole cluster down."""
    async with (
        aclosing(await client_of(durable_cluster)) as redis,
        aclosing(connect(durable_cluster.nodes[2].url)) as survivor,
    ):
        await load_functions(redis)
        load = Load(redis, prefix)
        loading = asyncio.create_task(load.run())
        await until(partial(load.checked_more, 0))
        for victim in durable_cluster.nodes[:2]:  # the first is the one that REDIS_URL names
            already = await _down_told(survivor)

            async def called_down(since: int = already) -> bool:
                return await _down_told(survivor) > since

            await asyncio.to_thread(victim.kill)
            reading = asyncio.create_task(_read_from(redis, survivor))
            await until(called_down)
            await asyncio.to_thread(victim.start)
            await asyncio.to_thread(durable_cluster.await_ok)
            await until(partial(load.checked_more, load.checked + 1))
            await reading
        load.end()
        await loading


async def test_counts_stay_exact_when_a_replica_takes_over(
    durable_cluster: Cluster, prefix: str
) -> None:
    """The master never comes back; REDIS_URL names it. What the replica lacks is a gap."""
    master = durable_cluster.nodes[0]
    with node_of(Valkey) as replica:
        async with aclosing(await client_of(durable_cluster)) as redis:
            await load_functions(redis)
            await asyncio.to_thread(durable_cluster.replicate, replica, master)
            load = Load(redis, prefix)
            loading = asyncio.create_task(load.run())
            await until(partial(load.checked_more, 0))
            await asyncio.to_thread(master.kill)
            await until(partial(load.checked_more, load.checked + 1))
            load.end()
            await loading
            assert replica.url in {url_of(node) for node in masters(redis)}


async def _read_from(redis: ClusterRedis, node: Redis) -> None:
    """Again and again, until the node refused one and answered it later."""
    third = 2 * HASH_SLOTS // MASTERS
    mine = next(name for name in map(str, count()) if key_slot(name.encode()) > third)
    since = await _down_told(node)
    while await _down_told(node) == since:
        assert await redis.get(mine) is None


async def _down_told(node: Redis) -> int:
    told = await node.info("errorstats")
    return int(told.get("errorstat_CLUSTERDOWN", {}).get("count", 0))
