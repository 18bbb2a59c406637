"""What a Redis or Valkey server says of itself, for those who diagnose a deployment."""

from __future__ import annotations

from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from millstream.domain.errors import OperatorError
from millstream.stores.redis import FUNCTIONS_FILE

LIBRARY = "millstream"


async def server_version(redis: Redis) -> str:
    """Such as "Redis 7.0.15" or "Valkey 9.1.0". Raises OperatorError where it does not answer."""
    try:
        info = await redis.info("server")
    except (RedisError, OSError) as error:
        raise OperatorError(
            "Redis", f"{type(error).__name__}", "a server that answers", "Check REDIS_URL"
        ) from error
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}"


async def server_time_ms(redis: Redis) -> int:
    seconds, micros = await redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def functions_differ(redis: Redis) -> str | None:
    """How the loaded library differs from the packaged one; None where it is the same."""
    listed = await redis.function_list(library=LIBRARY, withcode=True)
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
