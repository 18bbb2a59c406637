"""The connection to Redis or Valkey, and what must be true of the server."""

from __future__ import annotations

from collections.abc import Awaitable
from importlib import resources
from typing import Any, cast

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, RedisError, TimeoutError

from millstream.domain.errors import Halt, OperatorError
from millstream.stores.cluster import ClusterRedis, on_every_master
from millstream.stores.keys import Keys

DEFAULT_SLOTS = 16
FUNCTIONS_FILE = "millstream.lua"
RETRIES_AT_START = 6
"""Some three seconds: what is away at start is more often wrong than late."""


def connect(url: str, retries: int = 20) -> Redis:
    """A client of one server that makes the same call again for 30 s while it is away or loading.

    A call whose answer was lost is then made twice. recs_apply_v1 refuses what it applied already
    and totals are set, not added: no count suffers. recs_neighbours_v1 and recs_popular_v1 add the
    same weight twice, to values that fade; what a lost SPOP took, the next full sweep mends."""
    retry = Retry(ExponentialWithJitterBackoff(base=0.05, cap=2.0), retries=retries)
    redis = Redis.from_url(
        url,
        retry=retry,
        retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
        socket_timeout=10,
        socket_connect_timeout=2,
    )
    pool = redis.connection_pool
    pool.connection_class = _packing_in_c(pool.connection_class)
    return redis


async def connected(url: str, retries: int = RETRIES_AT_START) -> Redis:
    """As `connect`, once the server has answered; a client of the whole cluster where it is a node
    of one. Raises OperatorError where it does not answer."""
    probe = connect(url, retries)
    cluster: ClusterRedis | None = None
    try:
        told = await probe.info("cluster")
        if told.get("cluster_enabled"):
            cluster = ClusterRedis(url, connect)
            await cluster.nodes.read_map()
    except (RedisError, OSError) as error:
        raise OperatorError(
            "setting REDIS_URL",
            f"a server that does not answer ({type(error).__name__}: {error})",
            "a Redis 7.0 or later, or a node of its cluster, that can be reached",
        ) from None
    finally:
        await probe.aclose()
    return cluster or connect(url)


def _packing_in_c(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """A chunk's call has over a thousand arguments: redis-py's own packing, which its blocking
    client leaves to hiredis too, took as long as the decoding of the events."""

    class Connection(kind):  # type: ignore[valid-type, misc]
        def pack_command(self, *args: Any) -> list[bytes]:
            if isinstance(args[0], str) and " " in args[0]:
                args = (*args[0].split(), *args[1:])
            return [hiredis.pack_command(args)]

    return Connection


async def load_functions(redis: Redis) -> None:
    """Loads or replaces the library on every master; needs the operator's rights."""
    source = resources.files("millstream.stores").joinpath("functions", FUNCTIONS_FILE)
    await on_every_master(redis, "FUNCTION LOAD", "REPLACE", source.read_text())


async def fix_slots(redis: Redis, keys: Keys, slots: int) -> int:
    """Writes the number of slots once; raises OperatorError if another one is in force."""
    await redis.hsetnx(keys.layout(), "slots", str(slots))
    found = await read_slots(redis, keys)
    if found != slots:
        raise OperatorError(
            "slots",
            str(slots),
            f"{found}, fixed when this Redis was set up",
            "Keep it, or use another MILLSTREAM_REDIS_PREFIX and rebuild",
        )
    return found


async def read_slots(redis: Redis, keys: Keys) -> int:
    """How many slots this deployment has. Raises Halt where `millstream init` never ran."""
    found = await cast(Awaitable[bytes | None], redis.hget(keys.layout(), "slots"))
    if found is None:
        raise Halt(
            "Redis does not know this deployment: run `millstream init`; where it was set up "
            "before, see deploy/runbooks/redis-wiped.md"
        )
    return int(found)


async def require_noeviction(redis: Redis) -> None:
    """Raises Halt unless every master refuses writes when full instead of dropping keys."""
    for info in await on_every_master(redis, "INFO", "memory"):
        policy = info.get("maxmemory_policy")
        if policy != "noeviction":
            raise Halt(
                f"Redis has maxmemory-policy {policy}: it would drop counts when full; "
                "set it to noeviction. See deploy/runbooks/eviction-policy.md"
            )
