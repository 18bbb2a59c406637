"""What a Redis or Valkey server says of itself, for those who diagnose a deployment."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from millstream.domain.errors import OperatorError
from millstream.stores.calls import RedisRefused
from millstream.stores.cluster import ClusterRedis, on_every_master
from millstream.stores.redis import FUNCTIONS_FILE

LIBRARY = "millstream"


async def server_version(redis: Redis) -> str:
    """Such as "Redis 7.0.15" or "Valkey 9.1.0, cluster of 3 masters". Raises OperatorError where
    one does not answer."""
    try:
        infos = await on_every_master(redis, "INFO", "server")
    except (RedisError, RedisRefused, OSError) as error:
        raise OperatorError(
            "Redis", f"{type(error).__name__}", "a server that answers", "Check REDIS_URL"
        ) from error
    versions = sorted({_version(info) for info in infos})
    cluster = f", cluster of {len(infos)} masters" if isinstance(redis, ClusterRedis) else ""
    return " and ".join(versions) + cluster


def _version(info: Mapping[str, Any]) -> str:
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}"


async def server_times_ms(redis: Redis) -> list[int]:
    """Of each master."""
    times = await on_every_master(redis, "TIME")
    return [int(seconds) * 1000 + int(micros) // 1000 for seconds, micros in times]


async def functions_differ(redis: Redis) -> str | None:
    """How the loaded library differs from the packaged one on some master; None where it is the
    same on all."""
    found = await on_every_master(redis, "FUNCTION LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
    differences = [difference for listed in found if (difference := _difference(listed))]
    if not differences:
        return None
    where = f" on {len(differences)} of {len(found)} masters" if len(found) > 1 else ""
    return differences[0] + where


def _difference(listed: Any) -> str | None:
    if not listed:
        return "not loaded"
    source = resources.files("millstream.stores").joinpath("functions", FUNCTIONS_FILE).read_text()
    found = _as_mapping(listed[0]).get("library_code", b"")
    code = found.decode() if isinstance(found, bytes) else str(found)
    return None if code == source else "another version than this release's"


def _as_mapping(listed: Any) -> dict[str, Any]:
    """RESP2 tells a library as a flat list of names and values, RESP3 as a map."""
    if not isinstance(listed, dict):
        listed = dict(zip(listed[::2], listed[1::2], strict=True))
    return {name.decode() if isinstance(name, bytes) else name: v for name, v in listed.items()}
