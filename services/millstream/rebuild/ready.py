"""What must be true before anything is counted anew, and is made so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millstream.domain.errors import Halt, OperatorError
from millstream.privacy.following import load_erasures
from millstream.recommender.settings import RecommenderSettings
from millstream.stores.epoch import bump_epoch, epochs
from millstream.stores.erasures import ErasedState
from millstream.stores.keys import Keys
from millstream.stores.redis import (
    DEFAULT_SLOTS,
    fix_slots,
    load_functions,
    read_slots,
    require_noeviction,
)
from millstream.stores.reset import holds_counts, is_half_wiped, wipe
from millstream.streaming.topics import ERASURES

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis


async def prepare_redis(redis: Redis, keys: Keys, *, reset: bool, resume: bool) -> int:
    """Loads the functions and returns how many slots there are, as `init` set them or the usual
    number; with `reset` takes away what was counted. Raises OperatorError where something is
    counted, unless it is to be resumed."""
    await require_noeviction(redis)
    await load_functions(redis)
    slots = await _slots(redis, keys)
    half_wiped = await is_half_wiped(redis, keys)
    if reset or (resume and half_wiped):
        await wipe(redis, keys, slots)
    elif not resume and (half_wiped or await holds_counts(redis, keys)):
        raise OperatorError(
            f"Redis under {keys.prefix!r}",
            "counts",
            "none: they would be counted on top of",
            "Where a rebuild was cut short, `--resume` goes on; to begin anew, `--wipe`",
        )
    return slots


async def _slots(redis: Redis, keys: Keys) -> int:
    try:
        return await read_slots(redis, keys)
    except Halt:  # Redis does not know the deployment
        return await fix_slots(redis, keys, DEFAULT_SLOTS)


async def reach_epoch(redis: Redis, keys: Keys, slots: int, epoch: str) -> None:
    """The one in which the recommenders wrote their watermarks, or these would mean nothing."""
    while max(map(int, await epochs(redis, keys, slots))) < int(epoch):
        await bump_epoch(redis, keys, slots)


async def set_marks(settings: RecommenderSettings, redis: Redis, keys: Keys, slots: int) -> int:
    """Of all erased shoppers, before anything of theirs can be counted; returns how many."""
    marks = await load_erasures(settings.brokers, settings.topic(ERASURES))
    await ErasedState(redis, keys, slots).set_marks(marks)
    return len(marks)
