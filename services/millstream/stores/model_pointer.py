"""The current version of each model in Redis, moved by compare-and-set."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError, WatchError

from millstream.stores.calls import RedisRefused, replies
from millstream.stores.keys import Keys

_VERSION = "version"
_SHA = "sha256"


class RedisModelPointer:
    """HASH version, sha256 under `Keys.model`. Implements model.registry.CurrentPointer."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def read(self, tenant: str, model: str) -> tuple[int, str] | None:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hmget(self._keys.model(tenant, model), [_VERSION, _SHA])
        return _pair((await replies(pipeline))[0])

    async def promote(
        self, tenant: str, model: str, version: int, sha: str, expected_version: int | None
    ) -> bool:
        """See CurrentPointer. A call whose answer was lost and that is made again says true."""
        key = self._keys.model(tenant, model)
        async with self._redis.pipeline(transaction=True) as transaction:
            await transaction.watch(key)  # from here execute() fails if another one writes
            current = await _read(transaction, key)
            if not _may_move(current, version, expected_version):
                return current == (version, sha)
            transaction.multi()  # type: ignore[no-untyped-call]
            transaction.hset(key, mapping={_VERSION: str(version), _SHA: sha})
            try:
                await transaction.execute()
            except WatchError:
                return await self.read(tenant, model) == (version, sha)
            except ResponseError as error:
                # Its text holds the command.
                raise RedisRefused(error.status_code or type(error).__name__) from None
        return True


def _may_move(current: tuple[int, str] | None, version: int, expected: int | None) -> bool:
    if current is None:
        return expected is None
    return current[0] == expected and version > current[0]


async def _read(redis: Redis, key: str) -> tuple[int, str] | None:
    return _pair(await cast(Awaitable[list[Any]], redis.hmget(key, [_VERSION, _SHA])))


def _pair(held: list[Any]) -> tuple[int, str] | None:
    version, sha = held
    if version is None or sha is None:
        return None
    return int(_text(version)), _text(sha)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
