"""What a deployment has counted, as keys: whether there is any, and taking it away.

What is not counted stays: the number of slots, the current models, the lists that went out, item
numbers. Marks of erased shoppers go too: they come back from their topic and from the log, and only
so is what is counted next the same as what was counted first."""

from __future__ import annotations

from collections.abc import AsyncIterator

from redis.asyncio import Redis

from millstream.domain.errors import Halt
from millstream.stores.calls import replies
from millstream.stores.half_lives import FIELD as HALF_LIVES
from millstream.stores.keys import Keys

BATCH = 1_000
WIPING = "wiping"
"""Field of the layout while counts are being taken away."""
_BY_SLOT = "udiqtoln"
"""First letters of keys with a slot (stores/keys.py), without fences and clocks."""


async def holds_counts(redis: Redis, keys: Keys) -> bool:
    """Reads the names of all keys of the server where there are none of ours."""
    async for _ in _named(redis, f"{keys.prefix}[{_BY_SLOT}]:{{*"):
        return True
    return False


async def wipe(redis: Redis, keys: Keys, slots: int) -> None:
    """Counts, event ids, positions and what is derived from them. Cut short, it leaves a note
    behind (`require_whole`): to be repeated."""
    await redis.hset(keys.layout(), WIPING, "1")
    for pattern in (f"[{_BY_SLOT}]:{{*", "it:*", "p:*"):
        batch: list[bytes] = []
        async for name in _named(redis, keys.prefix + pattern):
            batch.append(name)
            if len(batch) == BATCH:
                await _unlink(redis, batch)
                batch = []
        await _unlink(redis, batch)
    of_slots = [keys.erased, keys.fences, keys.clocks]
    names = [name_of(slot) for name_of in of_slots for slot in range(slots)]
    await _unlink(redis, [name.encode() for name in (keys.tenants(), *names)])
    await redis.hdel(keys.layout(), HALF_LIVES, WIPING)


async def is_half_wiped(redis: Redis, keys: Keys) -> bool:
    return bool(await redis.hexists(keys.layout(), WIPING))


async def require_whole(redis: Redis, keys: Keys) -> None:
    """Raises Halt where a wipe was cut short: some of the counts are gone, and positions may not
    be."""
    if await is_half_wiped(redis, keys):
        raise Halt(
            "a wipe of the counts was cut short: run `millstream rebuild --resume`. See "
            "deploy/runbooks/redis-wiped.md"
        )


def _named(redis: Redis, pattern: str) -> AsyncIterator[bytes]:
    # A prefix has none of the characters that mean something in a pattern (settings.Name).
    return redis.scan_iter(pattern, count=BATCH)


async def _unlink(redis: Redis, names: list[bytes]) -> None:
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        pipeline.unlink(name)
    if names:
        await replies(pipeline)
