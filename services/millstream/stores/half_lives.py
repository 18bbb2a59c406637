"""The half-lives that this Redis's derived sums are kept by: others cannot be added to them."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import cast

from redis.asyncio import Redis

from millstream.domain.deriving import DAY_MS, USUAL, Deriving
from millstream.domain.errors import OperatorError
from millstream.stores.keys import Keys

FIELD = "half_lives_days"
"""Of the layout. Sums of a deployment that is without it are by the usual ones."""


async def keep_half_lives(redis: Redis, keys: Keys, deriving: Deriving) -> None:
    """Who asks first decides, until the sums are wiped: of two that start at once with others, on a
    Redis without sums, one is refused. Raises OperatorError."""
    given = _written(deriving)
    has_sums = await redis.exists(keys.tenants())
    await redis.hsetnx(keys.layout(), FIELD, _written(USUAL) if has_sums else given)
    kept = await cast(Awaitable[bytes], redis.hget(keys.layout(), FIELD))
    if kept.decode() != given:
        raise OperatorError(
            "settings MILLSTREAM_POPULAR_HALF_LIFE_DAYS, MILLSTREAM_TOGETHER_HALF_LIFE_DAYS",
            given,
            f"{kept.decode()}, by which what Redis holds fades",
            "Keep them, or stop all recommenders and run `millstream rebuild --wipe` with others "
            "(docs/settings.md)",
        )


def _written(deriving: Deriving) -> str:
    popular, together = deriving.popular_half_life_ms, deriving.together_half_life_ms
    return f"{popular / DAY_MS:g} and {together / DAY_MS:g}"
