"""A Redis Cluster of three masters on this machine, and slots on the move between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.crc import key_slot

from millstream.local.ports import LOOPBACK, free_port
from millstream.local.valkey import Valkey
from millstream.stores.cluster import ClusterRedis
from millstream.stores.cluster.nodes import raw
from millstream.stores.redis import connected

MASTERS = 3
HASH_SLOTS = 16_384
FORM_S = 30.0
POLL_S = 0.05
NODE_TIMEOUT_MS = 2_000


class Cluster:
    """`nodes[i]` owns the i-th third of the hash slots, at first."""

    def __init__(self, nodes: list[Valkey]) -> None:
        self.nodes = nodes
        self.url = nodes[0].url

    def form(self) -> None:
        """Raises AssertionError where they are no cluster within FORM_S."""
        for number, node in enumerate(self.nodes):
            with Redis.from_url(node.url) as client:
                first, end = (HASH_SLOTS * n // MASTERS for n in (number, number + 1))
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        with Redis.from_url(self.url) as client:
            for node in self.nodes[1:]:
                with Redis.from_url(node.url) as met:
                    bus = met.config_get("cluster-port")["cluster-port"]
                client.execute_command("CLUSTER", "MEET", LOOPBACK, _port(node), bus)
        self.await_ok()

    def await_ok(self) -> None:
        """Until every node says that all slots are served."""
        deadline = time.monotonic() + FORM_S
        while not all(_says_ok(node, len(self.nodes)) for node in self.nodes):
            assert time.monotonic() < deadline, "the nodes are no cluster yet"
            time.sleep(POLL_S)

    def replicate(self, node: Valkey, master: Valkey) -> None:
        """`node`, a new one, becomes a replica of `master`; returns when it has all of it."""
        with Redis.from_url(master.url) as client:
            name = client.execute_command("CLUSTER MYID")
            bus = client.config_get("cluster-port")["cluster-port"]
        with Redis.from_url(node.url) as client:
            client.execute_command("CLUSTER", "MEET", LOOPBACK, _port(master), bus)
            self.nodes.append(node)
            self.await_ok()
            client.execute_command("CLUSTER", "REPLICATE", name)
            deadline = time.monotonic() + FORM_S
            while client.info("replication").get("master_link_status") != "up":
                assert time.monotonic() < deadline, "the replica does not follow its master"
                time.sleep(POLL_S)

    def stat(self, name: str) -> dict[str, int]:
        """The counters of an INFO section, commandstats or errorstats, summed over the nodes."""
        sums: dict[str, int] = {}
        for node in self.nodes:
            with Redis.from_url(node.url) as client:
                told = cast(dict[str, dict[str, Any]], client.info(name))
            for counter, values in told.items():
                of = counter.partition("_")[2]
                sums[of] = sums.get(of, 0) + int(values.get("calls", values.get("count", 0)))
        return sums


def node_of(kind: type[Valkey], *, durable: bool = False) -> Valkey:
    """Not started, and of no cluster yet."""
    config = {
        "cluster-enabled": "yes",
        "cluster-config-file": "nodes.conf",
        "cluster-port": str(free_port()),
        "cluster-node-timeout": str(NODE_TIMEOUT_MS),
    }
    return kind(durable=durable, config=config)


@contextmanager
def cluster_of(kind: type[Valkey], *, durable: bool = False) -> Iterator[Cluster]:
    with ExitStack() as stack:
        nodes = [stack.enter_context(node_of(kind, durable=durable)) for _ in range(MASTERS)]
        cluster = Cluster(nodes)
        cluster.form()
        yield cluster


async def client_of(cluster: Cluster) -> ClusterRedis:
    client = await connected(cluster.url)
    assert isinstance(client, ClusterRedis), "the server did not say that it is a cluster's"
    return client


class Move:
    """The hash slot of `key` from its owner to another master, in steps as redis-cli does it."""

    def __init__(self, client: ClusterRedis, key: str) -> None:
        self.slot = int(key_slot(key.encode()))
        self._client = client
        self._source = client.nodes.owner(self.slot)
        self._target = next(node for node in client.nodes.masters if node is not self._source)
        self.moved_keys = 0

    async def begin(self) -> None:
        source, target = await self._id(self._source), await self._id(self._target)
        await self._cluster(self._target, "SETSLOT", self.slot, "IMPORTING", source)
        await self._cluster(self._source, "SETSLOT", self.slot, "MIGRATING", target)

    async def some_keys(self, n: int) -> bool:
        """Moves at most n keys; False when none was left."""
        names = await self._cluster(self._source, "GETKEYSINSLOT", self.slot, n)
        if not names:
            return False
        address = self._target.connection_pool.connection_kwargs
        where = (address["host"], address["port"], "", 0, 5_000)
        await raw(self._source, "MIGRATE", *where, "KEYS", *names)
        self.moved_keys += len(names)
        return True

    async def end(self) -> None:
        target = await self._id(self._target)
        others = [n for n in self._client.nodes.masters if n not in (self._target, self._source)]
        for node in (self._target, self._source, *others):
            await self._cluster(node, "SETSLOT", self.slot, "NODE", target)

    async def at_once(self) -> None:
        """As Valkey 9 does it by itself; returns when every key of the slot is there."""
        target = await self._id(self._target)
        slots = ("SLOTSRANGE", self.slot, self.slot)
        await self._cluster(self._source, "MIGRATESLOTS", *slots, "NODE", target)
        deadline = time.monotonic() + FORM_S
        while self._client.nodes.owner(self.slot) is not self._target:
            assert time.monotonic() < deadline, "the slot did not move"
            await asyncio.sleep(POLL_S)
            await self._client.nodes.read_map()

    async def _id(self, node: AsyncRedis) -> str:
        told = await self._cluster(node, "MYID")
        return str(told.decode())

    async def _cluster(self, node: AsyncRedis, *words: Any) -> Any:
        return await raw(node, "CLUSTER", *words)


def url_of(node: AsyncRedis) -> str:
    """As the server that it is a client of has it."""
    address = node.connection_pool.connection_kwargs
    return f"redis://{address['host']}:{address['port']}/0"


def _port(node: Valkey) -> int:
    return int(node.url.rpartition(":")[2].partition("/")[0])


def _says_ok(node: Valkey, nodes: int) -> bool:
    with Redis.from_url(node.url) as client:
        told = client.execute_command("CLUSTER", "INFO")
    found = told if isinstance(told, dict) else _lines(told)
    return found["cluster_state"] == "ok" and int(found["cluster_known_nodes"]) == nodes


def _lines(told: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in told.decode().splitlines())
    return {name: value for name, _, value in pairs}
