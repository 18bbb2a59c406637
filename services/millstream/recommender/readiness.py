"""What must be true of the log and of Redis before a worker takes part in the group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from millstream.recommender.settings import RecommenderSettings
from millstream.stores.epoch import epochs
from millstream.stores.half_lives import keep_half_lives
from millstream.stores.keys import Keys
from millstream.stores.persistence import unsaved
from millstream.stores.redis import require_noeviction
from millstream.stores.reset import require_whole
from millstream.streaming.log_settings import require_events_log
from millstream.streaming.topics import EVENTS

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis

log = structlog.get_logger()


async def require_ready(
    settings: RecommenderSettings, redis: Redis, keys: Keys, slots: int
) -> None:
    """Raises Halt or OperatorError, saying why; what is only less safe than it could be is
    logged."""
    await require_noeviction(redis)
    await require_whole(redis, keys)
    await keep_half_lives(redis, keys, settings.deriving)
    await epochs(redis, keys, slots)  # raises where the functions of this release are not loaded
    doubts = await require_events_log(
        settings.brokers,
        settings.topic(EVENTS),
        idempotence=settings.kafka_idempotence,
    )
    for doubt in (await unsaved(redis), *doubts):
        if doubt:
            log.warning("less safe than it could be", why=doubt)
