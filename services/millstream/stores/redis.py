"""The connection to Redis or Valkey, and what must be true of the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Iterable
from importlib import resources
from typing import Any, cast

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    NoPermissionError,
    RedisError,
    TimeoutError,
)

from millstream.domain.errors import Halt, OperatorError, TryLater
from millstream.stores.calls import RedisRefused
from millstream.stores.cluster import ClusterRedis, on_every_master
from millstream.stores.cluster.nodes import OpenNode
from millstream.stores.keys import Keys

DEFAULT_SLOTS = 16
FUNCTIONS_FILE = "millstream.lua"
RETRIES = 20
RETRIES_AT_START = 6
"""Some three seconds: what is away at start is more often wrong than late."""
TIMEOUT_S = 10.0

TROUBLE: tuple[type[Exception], ...] = (RedisError, RedisRefused, TryLater, Halt, OSError)
"""What a call may raise where Redis is away, full or not set up."""


def connect(url: str, retries: int = RETRIES, timeout_s: float = TIMEOUT_S) -> Redis:
    """A client of one server that makes the same call again while it is away or loading, RETRIES
    times within 30 s; an answer that is not there after `timeout_s` is no longer waited for.

    A call whose answer was lost is then made twice. recs_apply_v2 refuses what it applied already
    and totals are set, not added: no count suffers. recs_neighbours_v1 and recs_popular_v1 add the
    same weight twice, to values that fade; what recs_take_v1 took, it gives again."""
    retry = Retry(ExponentialWithJitterBackoff(base=0.05, cap=2.0), retries=retries)
    redis = Redis.from_url(
        url,
        retry=retry,
        retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
        socket_timeout=timeout_s,
        socket_connect_timeout=min(timeout_s, 2),
        driver_info=None,  # CLIENT SETINFO: Redis 7.0 lacks it, and no users.acl could allow it
    )
    pool = redis.connection_pool
    kind = pool.connection_class
    pool.connection_class = type(kind.__name__, (_Mended, kind), {})
    return redis


async def connected(
    url: str, retries: int = RETRIES_AT_START, open_node: OpenNode = connect
) -> Redis:
    """As `open_node`, once the server has answered; a client of the whole cluster where it is a
    node of one. `retries`: of this first answer. Raises OperatorError where it does not come."""
    probe = connect(url, retries)
    cluster: ClusterRedis | None = None
    try:
        told = await probe.info("cluster")
        if told.get("cluster_enabled"):
            cluster = ClusterRedis(url, open_node)
            await cluster.nodes.read_map()
    except (AuthenticationError, NoPermissionError) as error:
        raise OperatorError(
            "settings REDIS_USERNAME and REDIS_PASSWORD",
            f"a user or a password that the server refuses ({error})",
            "the user of this service in deploy/redis/users.acl, and its password",
            "See docs/security.md",
        ) from None
    except (RedisError, OSError) as error:
        raise OperatorError(
            "setting REDIS_URL",
            f"a server that does not answer ({type(error).__name__}: {error})",
            "a Redis 7.0 or later, or a node of its cluster, that can be reached: rediss:// where "
            "it speaks TLS, and REDIS_SSL_CA_FILE where this machine does not know who signed it",
        ) from None
    finally:
        await probe.aclose()
    return cluster or open_node(url, RETRIES)


class _Mended(AbstractConnection):
    """A chunk's call has over a thousand arguments: redis-py's own packing, which its blocking
    client leaves to hiredis too, took as long as the decoding of the events. And redis-py sends by
    asyncio.wait_for, which on Python 3.11 loses a cancellation that comes with the end of what it
    waits for (gh-86296): a worker that halted then waited for a task that went on for ever. And a
    goodbye that takes long is no error: the socket is closed all the same."""

    def pack_command(self, *args: Any) -> list[bytes]:
        if isinstance(args[0], str) and " " in args[0]:
            args = (*args[0].split(), *args[1:])
        return [hiredis.pack_command(args)]

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(self.socket_timeout):
                await self._send_packed_command(
                    [command] if isinstance(command, bytes) else cast(Iterable[bytes], command)
                )
        except BaseException as error:  # what was sent in part can't be gone on with
            await self.disconnect(nowait=True)
            if isinstance(error, OSError):  # a timeout is one too
                raise ConnectionError(f"{type(error).__name__} while writing") from error
            raise

    async def disconnect(self, *args: Any, **kwargs: Any) -> None:
        with contextlib.suppress(TimeoutError):
            await super().disconnect(*args, **kwargs)


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
