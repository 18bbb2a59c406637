"""Redis: reachable, never evicting, with our functions in it, its slots set, its clock ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millstream.diagnosis.check import Check, Verdict, examined, not_examined
from millstream.diagnosis.clocks import skew_check
from millstream.domain.clock import Clock
from millstream.stores.keys import Keys
from millstream.stores.redis import read_slots, require_noeviction
from millstream.stores.server import functions_differ, server_time_ms, server_version

if TYPE_CHECKING:
    from redis.asyncio import Redis

REDIS, EVICTION, FUNCTIONS, SLOTS, CLOCK = (
    "redis",
    "eviction policy",
    "functions",
    "slots",
    "clock of redis",
)
_INIT = "Run `millstream init`"


async def store_checks(redis: Redis, keys: Keys, clock: Clock) -> list[Check]:
    reachable = await examined(REDIS, _reachable(redis))
    if reachable.verdict is Verdict.BAD:
        away = "Redis does not answer"
        names = (EVICTION, FUNCTIONS, SLOTS, CLOCK)
        return [reachable, *(not_examined(name, away) for name in names)]
    return [
        reachable,
        await examined(EVICTION, _eviction(redis), "CONFIG SET maxmemory-policy noeviction"),
        await examined(FUNCTIONS, _functions(redis), _INIT),
        await examined(SLOTS, _slots(redis, keys), _INIT),
        await examined(CLOCK, _clock(redis, clock)),
    ]


async def _reachable(redis: Redis) -> Check:
    return Check(REDIS, Verdict.OK, await server_version(redis))


async def _eviction(redis: Redis) -> Check:
    await require_noeviction(redis)
    return Check(EVICTION, Verdict.OK, "noeviction")


async def _functions(redis: Redis) -> Check:
    differ = await functions_differ(redis)
    if differ is not None:
        return Check(FUNCTIONS, Verdict.BAD, differ, _INIT)
    return Check(FUNCTIONS, Verdict.OK, "loaded, as this release has them")


async def _slots(redis: Redis, keys: Keys) -> Check:
    return Check(SLOTS, Verdict.OK, f"{await read_slots(redis, keys)} slots")


async def _clock(redis: Redis, clock: Clock) -> Check:
    """Against the middle of the round trip."""
    before = clock()
    theirs = await server_time_ms(redis)
    return skew_check(CLOCK, theirs - (before + clock()) // 2)
