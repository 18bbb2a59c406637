"""Whether Redis writes down what it acknowledges."""

from __future__ import annotations

from redis.asyncio import Redis

from millstream.stores.cluster import on_every_master


async def unsaved(redis: Redis) -> str | None:
    """What an operator should know; None where every master keeps an append-only file. Without one
    no count goes wrong, but a restart begins at the last snapshot, and the log is read from
    there: retention must reach back to it."""
    told = await on_every_master(redis, "INFO", "persistence")
    without = sum(not info.get("aof_enabled") for info in told)
    if not without:
        return None
    return (
        f"{without} of {len(told)} Redis servers keep no append-only file: after a restart the log "
        "is counted from their last snapshot on, or from its beginning"
    )
