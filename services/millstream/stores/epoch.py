"""The epoch: a name space of fences per slot. A new one lets counting begin again on another log,
and what was counted stays; only an operator opens one (`millstream fences bump-epoch`)."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from millstream.domain.errors import Halt, OperatorError
from millstream.stores.calls import fcall_pipeline
from millstream.stores.keys import Keys

_NONE = ""
"""In force nowhere: the function then changes nothing and says which one is."""


async def epochs(redis: Redis, keys: Keys, slots: int) -> tuple[str, ...]:
    """Per slot the epoch in force, told by a function that may write, so that a server which is
    full, read-only or a replica refuses this call as it would refuse the worker's: then blocks as
    long as such a server is waited for. Raises as calls.replies does."""
    return await _epoch_calls(redis, keys, [(slot, _NONE, _NONE) for slot in range(slots)])


async def require_epoch(redis: Redis, keys: Keys, slots: int, epoch: str) -> None:
    """Raises Halt where a slot is in another one; blocks and raises as `epochs` does."""
    for slot, found in enumerate(await epochs(redis, keys, slots)):
        if found != epoch:
            raise Halt(
                f"slot {slot} of Redis is in epoch {found}, and this worker counts in {epoch}: an "
                "operator reset the positions; start the worker again"
            )


async def bump_epoch(redis: Redis, keys: Keys, slots: int) -> str:
    """Brings every slot into the next epoch and returns it; where an earlier call did not get
    through all of them, into the one that it began. Raises OperatorError where someone else
    changes it at the same time, and as calls.replies does."""
    found = await epochs(redis, keys, slots)
    target = max(found, key=int)
    if len(set(found)) == 1:
        target = str(int(target) + 1)
    behind = [(slot, epoch, target) for slot, epoch in enumerate(found) if epoch != target]
    reached = await _epoch_calls(redis, keys, behind)
    for (slot, _, _), now in zip(behind, reached, strict=True):
        if now != target:
            raise OperatorError(
                f"slot {slot}", f"epoch {now}", f"epoch {target}", "Run the command once more"
            )
    return target


async def _epoch_calls(
    redis: Redis, keys: Keys, changes: Sequence[tuple[int, str, str]]
) -> tuple[str, ...]:
    """`changes`: (slot, the epoch in force, the next one)."""
    calls = [([keys.fences(slot), keys.clocks(slot)], [old, new]) for slot, old, new in changes]
    return tuple(r.decode() for r in await fcall_pipeline(redis, "recs_epoch_v1", calls))
