"""The half-lives that this Redis's derived sums are kept by: others cannot be added to them."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import cast

from redis.asyncio import Redis

from millstream.domain.deriving import DAY_MS, USUAL, Deriving
from millstream.domain.errors import OperatorError
from millstream.stores.keys import Keys

FIELD = "half_lives_days"
"""Of the layout; sums of a deployment that is without it are by the usual ones."""


async def keep_half_lives(redis: Redis, keys: Keys, deriving: Deriving) -> None:
    """Raises OperatorError where sums are kept by others; where there are none these are in force
    from now on."""
    given, kept = _written(deriving), await _kept(redis, keys)
    if given == kept:
        return
    if await cast(Awaitable[set[bytes]], redis.smembers(keys.tenants())):
        raise OperatorError(
            "settings MILLSTREAM_POPULAR_HALF_LIFE_DAYS, MILLSTREAM_TOGETHER_HALF_LIFE_DAYS",
            given,
            f"{kept}, by which what Redis holds has faded",
            "Keep them, or stop all recommenders and run `millstream rebuild --wipe`",
        )
    await redis.hset(keys.layout(), FIELD, given)


async def _kept(redis: Redis, keys: Keys) -> str:
    found = await cast(Awaitable[bytes | None], redis.hget(keys.layout(), FIELD))
    return _written(USUAL) if found is None else found.decode()


def _written(deriving: Deriving) -> str:
    popular, together = deriving.popular_half_life_ms, deriving.together_half_life_ms
    return f"{popular / DAY_MS:g} and {together / DAY_MS:g}"
