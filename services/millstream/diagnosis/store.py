"""Redis: reachable, never evicting, with our functions in it, its slots set, its clock ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

from millstream.diagnosis.check import Check, Verdict, examined, not_examined
from millstream.diagnosis.clocks import skew_check
from millstream.domain.clock import Clock
from millstream.domain.errors import Halt
from millstream.stores.calls import RedisRefused
from millstream.stores.fences import read_fences
from millstream.stores.keys import Keys
from millstream.stores.persistence import unsaved
from millstream.stores.redis import read_slots, require_noeviction
from millstream.stores.reset import require_whole
from millstream.stores.server import functions_differ, server_times_ms, server_version

if TYPE_CHECKING:
    from redis.asyncio import Redis

REDIS, EVICTION, PERSISTENCE, FUNCTIONS, SLOTS, CLOCK = (
    "redis",
    "eviction policy",
    "persistence",
    "functions",
    "slots",
    "clock of redis",
)
_INIT = "Run `millstream init`"
CHECK_S = 5.0
"""A check gets so long; the stores would wait a minute for a server that may come back."""

T = TypeVar("T")


async def store_checks(redis: Redis, keys: Keys, clock: Clock) -> list[Check]:
    reachable = await examined(REDIS, _soon(_reachable(redis)))
    if reachable.verdict is Verdict.BAD:
        away = "Redis does not answer"
        names = (EVICTION, PERSISTENCE, FUNCTIONS, SLOTS, CLOCK)
        return [reachable, *(not_examined(name, away) for name in names)]
    return [
        reachable,
        await examined(EVICTION, _soon(_eviction(redis)), "CONFIG SET maxmemory-policy noeviction"),
        await examined(PERSISTENCE, _soon(_persistence(redis))),
        await examined(FUNCTIONS, _soon(_functions(redis)), _INIT),
        await examined(SLOTS, _soon(_slots(redis, keys)), _INIT),
        await examined(CLOCK, _soon(_clock(redis, clock))),
    ]


async def _soon(looking: Awaitable[T]) -> T:
    """Raises Halt after CHECK_S and for what the server refuses."""
    try:
        async with asyncio.timeout(CHECK_S):
            return await looking
    except TimeoutError:
        raise Halt(f"no answer from every master within {CHECK_S:g} s") from None
    except RedisRefused as refused:
        raise Halt(f"Redis refuses to tell: {refused}") from None


async def _reachable(redis: Redis) -> Check:
    return Check(REDIS, Verdict.OK, await server_version(redis))


async def _eviction(redis: Redis) -> Check:
    await require_noeviction(redis)
    return Check(EVICTION, Verdict.OK, "noeviction")


async def _persistence(redis: Redis) -> Check:
    doubt = await unsaved(redis)
    if doubt is not None:
        return Check(PERSISTENCE, Verdict.WARNING, doubt, "Set appendonly yes on each of them")
    return Check(PERSISTENCE, Verdict.OK, "every server keeps an append-only file")


async def _functions(redis: Redis) -> Check:
    differ = await functions_differ(redis)
    if differ is not None:
        return Check(FUNCTIONS, Verdict.BAD, differ, _INIT)
    return Check(FUNCTIONS, Verdict.OK, "loaded, as this release has them")


async def _slots(redis: Redis, keys: Keys) -> Check:
    """Their number, that no wipe of them was cut short, and that one epoch is in force in all."""
    slots = await read_slots(redis, keys)
    await require_whole(redis, keys)
    epoch = (await read_fences(redis, keys, slots, [])).epoch
    return Check(SLOTS, Verdict.OK, f"{slots} slots, epoch {epoch}")


async def _clock(redis: Redis, clock: Clock) -> Check:
    """Against the middle of the round trip; of a cluster, the clock that differs most."""
    before = clock()
    theirs = await server_times_ms(redis)
    ours = (before + clock()) // 2
    return skew_check(CLOCK, max((time - ours for time in theirs), key=abs))
