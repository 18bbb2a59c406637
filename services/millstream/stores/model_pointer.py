"""The current version of each model in Redis, and those that were it before, moved by
compare-and-set."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError, WatchError

from millstream.domain.failpoints import failpoint
from millstream.stores.calls import by_code, replies
from millstream.stores.cluster import transacted
from millstream.stores.keys import Keys

_FIELDS = ("version", "sha256", "before")
_REMEMBERED = 20

Version = tuple[int, str]
"""Number, sha256 of the manifest."""


class _Standing(NamedTuple):
    """`before`: newest first, each current until the next one took its place."""

    current: Version | None
    before: tuple[Version, ...]


class RedisModelPointer:
    """HASH version, sha256, before under `Keys.model`. Implements model.registry.PointerHistory."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def read(self, tenant: str, model: str) -> Version | None:
        return (await self._standing(tenant, model)).current

    async def before(self, tenant: str, model: str) -> tuple[Version, ...]:
        return (await self._standing(tenant, model)).before

    async def promote(
        self, tenant: str, model: str, version: int, sha: str, expected_version: int | None
    ) -> bool:
        """See CurrentPointer. A call whose answer was lost and that is made again says true."""

        def upwards(standing: _Standing) -> _Standing | None:
            if _number(standing) != expected_version or version <= (expected_version or 0):
                return None
            return _on_top(standing, (version, sha))

        return await self._change(tenant, model, upwards, (version, sha))

    async def choose(
        self, tenant: str, model: str, version: int, sha: str, expected_version: int | None
    ) -> bool:
        """See PointerHistory."""

        def anywhere(standing: _Standing) -> _Standing | None:
            if _number(standing) != expected_version:
                return None
            return _on_top(standing, (version, sha))

        return await self._change(tenant, model, anywhere, (version, sha))

    async def go_back(
        self, tenant: str, model: str, version: int, sha: str, expected_version: int
    ) -> bool:
        """See PointerHistory."""

        def back(standing: _Standing) -> _Standing | None:
            if _number(standing) != expected_version or (version, sha) not in standing.before:
                return None
            older = standing.before[standing.before.index((version, sha)) + 1 :]
            return _Standing((version, sha), older)

        return await self._change(tenant, model, back, (version, sha))

    async def _standing(self, tenant: str, model: str) -> _Standing:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hmget(self._keys.model(tenant, model), list(_FIELDS))
        return _read((await replies(pipeline))[0])

    async def _change(
        self,
        tenant: str,
        model: str,
        change: Callable[[_Standing], _Standing | None],
        wanted: Version,
    ) -> bool:
        """True where `wanted` is current afterwards, whoever made it so."""
        key = self._keys.model(tenant, model)
        failpoint("model-life")
        moved = await transacted(self._redis, lambda: self._move(key, change))
        failpoint("model-life")
        return moved or await self.read(tenant, model) == wanted

    async def _move(self, key: str, change: Callable[[_Standing], _Standing | None]) -> bool:
        """False where `change` has nothing to put there, or another one was quicker."""
        async with self._redis.pipeline(transaction=True) as transaction:
            try:
                await transaction.watch(key)  # from here execute() fails if another one writes
                held = await cast(Awaitable[list[Any]], transaction.hmget(key, list(_FIELDS)))
                standing = change(_read(held))
                if standing is None:
                    return False
                transaction.multi()  # type: ignore[no-untyped-call]
                transaction.hset(key, items=_written(standing))
                await transaction.execute()
            except WatchError:
                return False
            except ResponseError as error:
                raise by_code(error) from None
        return True


def _number(standing: _Standing) -> int | None:
    return None if standing.current is None else standing.current[0]


def _on_top(standing: _Standing, version: Version) -> _Standing:
    if standing.current is None or standing.current == version:
        return _Standing(version, standing.before)
    return _Standing(version, (standing.current, *standing.before)[:_REMEMBERED])


def _written(standing: _Standing) -> list[str]:
    """Fields and values in turn."""
    version, sha = standing.current or ("", "")
    values = str(version), sha, msgspec.json.encode(standing.before).decode()
    return [text for pair in zip(_FIELDS, values, strict=True) for text in pair]


def _read(held: list[Any]) -> _Standing:
    """A pointer from before versions were remembered has no `before`."""
    version, sha, before = held
    remembered = msgspec.json.decode(before, type=tuple[Version, ...]) if before else ()
    if version is None or sha is None:
        return _Standing(None, remembered)
    return _Standing((int(_text(version)), _text(sha)), remembered)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
