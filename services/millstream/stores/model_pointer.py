"""The current version of each model in Redis, moved by compare-and-set."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError, WatchError

from millstream.stores.calls import by_code, replies
from millstream.stores.cluster import transacted
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
        moved = await transacted(
            self._redis, lambda: self._move(key, version, sha, expected_version)
        )
        return moved or await self.read(tenant, model) == (version, sha)

    async def _move(self, key: str, version: int, sha: str, expected: int | None) -> bool:
        """False where another version stands there; it may be the one wanted."""
        async with self._redis.pipeline(transaction=True) as transaction:
            try:
                await transaction.watch(key)  # from here execute() fails if another one writes
                if not _may_move(await _read(transaction, key), version, expected):
                    return False
                transaction.multi()  # type: ignore[no-untyped-call]
                transaction.hset(key, mapping={_VERSION: str(version), _SHA: sha})
                await transaction.execute()
            except WatchError:
                return False
            except ResponseError as error:
                raise by_code(error) from None
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
