"""`millstream doctor`: looks at everything a deployment needs and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millstream.diagnosis.check import Check, Verdict, examined, not_examined
from millstream.diagnosis.log import log_checks
from millstream.diagnosis.model import model_checks
from millstream.diagnosis.ranking import RANKING, ranking_check
from millstream.diagnosis.rights import RIGHTS, rights_check
from millstream.diagnosis.store import store_checks
from millstream.domain.clock import Clock
from millstream.domain.errors import OperatorError
from millstream.settings import ConnectionSettings
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import connect, connected
from millstream.streaming.rights import read_role

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis

RETRIES = 1


async def diagnose(
    settings: ConnectionSettings,
    clock: Clock,
    *,
    model: tuple[str, str],
    role: str = "operator",
    replay: bool = False,
    partitions: int | None = None,
) -> list[Check]:
    """All checks, always the same names in the same order; within half a minute, whatever is
    away. `model`: tenant and name; `role`: of deploy/kafka/acls.yaml; `replay` and `partitions`: as
    given to `millstream init`."""
    redis, keys = await _client(settings.redis_url), Keys(settings.redis_prefix)
    try:
        log = await log_checks(settings, replay=replay, partitions=partitions, clock=clock)
        rights = await _rights(settings, role, log[0])
        store = await store_checks(redis, keys, clock)
        answers = store[0].verdict is Verdict.OK
        pointer = RedisModelPointer(redis, keys) if answers else None
        served = await model_checks(settings.keys_dir, settings.model_store, pointer, *model)
    finally:
        await redis.aclose()
    ranking = await examined(RANKING, ranking_check(settings), "Correct what the file says")
    return [*log, rights, *store, *served, ranking]


async def _rights(settings: ConnectionSettings, name: str, broker: Check) -> Check:
    if broker.verdict is Verdict.BAD:
        return not_examined(RIGHTS, "the broker does not answer")
    role = read_role(name, settings.topic_prefix)
    return await examined(RIGHTS, rights_check(settings, role, name))


async def _client(url: str) -> Redis:
    """One that does not answer is for the checks to tell of."""
    try:
        return await connected(url, RETRIES)
    except OperatorError:
        return connect(url, RETRIES)
