"""Schedules of faults as a load on a cluster, and what must hold while its slots move."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from itertools import count

from tests.redis_cluster import POLL_S, Cluster, Move, client_of

from millstream.local.chaos.faulty_store import SLOTS
from millstream.local.chaos.schedules import Schedule
from millstream.stores.cluster import ClusterRedis
from millstream.stores.keys import Keys

DEADLINE_S = 40.0
KEYS_A_STEP = 10


class SteadySchedule(Schedule):
    """No slot rolls back: that takes a transaction, which cannot follow a slot on the move."""

    async def _disturb(self) -> None:
        if self.rng.random() < 0.2:
            await self.store.wake_zombie()


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not await reached():
        assert asyncio.get_running_loop().time() < deadline, "it never came so far"
        await asyncio.sleep(POLL_S)


async def stat(cluster: Cluster, name: str) -> dict[str, int]:
    return await asyncio.to_thread(cluster.stat, name)


async def run_exact(schedule: Schedule) -> None:
    await schedule.run()
    assert not await schedule.problems()


class Load:
    """Schedules one after the other, each checked, until told to end."""

    def __init__(self, redis: ClusterRedis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._enough = False
        self.checked = 0
        self.ended: BaseException | None = None

    async def run(self) -> None:
        try:
            for seed in count():
                if self._enough:
                    break
                await run_exact(SteadySchedule(self._redis, Keys(f"{self._prefix}{seed}."), seed))
                self.checked += 1
        except BaseException as error:
            self.ended = error
            raise

    def end(self) -> None:
        self._enough = True

    async def checked_more(self, than: int) -> bool:
        """Raises what ended the load where it ended before it was told to."""
        if self.ended is not None:
            raise self.ended
        return self.checked > than


async def exact_while_every_slot_moves(redis: ClusterRedis, cluster: Cluster, prefix: str) -> None:
    """The load meets TRYAGAIN while a call's keys are on two nodes, ASK for a key that went ahead,
    MOVED once the slot is there."""
    before = await stat(cluster, "errorstats")
    load = Load(redis, prefix)
    async with aclosing(await client_of(cluster)) as operator:
        loading = asyncio.create_task(load.run())
        await until(partial(load.checked_more, 0))
        for slot in range(SLOTS):
            marker = f"{prefix}mark:{{{slot}}}"
            await _move_under_load(redis, cluster, Move(operator, marker), marker)
            await operator.nodes.read_map()
        load.end()
        await loading
    after = await stat(cluster, "errorstats")
    seen = {code: after.get(code, 0) - before.get(code, 0) for code in ("ASK", "TRYAGAIN", "MOVED")}
    assert min(seen.values()) >= SLOTS, seen


async def _move_under_load(redis: ClusterRedis, cluster: Cluster, move: Move, marker: str) -> None:
    async def refused(code: str, since: dict[str, int]) -> bool:
        return (await stat(cluster, "errorstats")).get(code, 0) > since.get(code, 0)

    await redis.set(marker, marker)
    since = await stat(cluster, "errorstats")
    await move.begin()
    await until(partial(refused, "TRYAGAIN", since))
    while await move.some_keys(KEYS_A_STEP):
        assert await redis.get(marker) == marker.encode(), "lost on the way"
    assert await redis.get(marker) == marker.encode()
    await move.end()
    assert move.moved_keys > KEYS_A_STEP
    await until(partial(refused, "MOVED", since))
