"""Redis dies, sleeps, forgets its end, or all, or its functions."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from millstream.local.chaos.faults.fault import EVERY, Fault
from millstream.local.chaos.scene import SLOTS, Scene

COPY_AGE_S = (1.0, 6.0)
DEEPEST_CUT = 0.2
PAUSE_S = (1.0, 4.0)
WRITES_AGAIN_S = 30.0


async def kill(scene: Scene) -> None:
    await asyncio.to_thread(scene.valkey.kill)


async def start(scene: Scene) -> None:
    await asyncio.to_thread(scene.valkey.start)


class RedisKilled(Fault):
    """What was acknowledged is in the page cache, unless the write was put off behind an fsync."""

    kind = "redis-killed"
    tiers = EVERY
    hold_s = (0.0, 2.0)
    rolls_back = True

    async def inject(self, scene: Scene) -> None:
        await kill(scene)

    async def heal(self, scene: Scene) -> None:
        await start(scene)


class RedisStopped(Fault):
    kind = "redis-stopped"
    tiers = EVERY
    hold_s = (1.0, 4.0)

    async def inject(self, scene: Scene) -> None:
        scene.valkey.signal(signal.SIGSTOP)

    async def heal(self, scene: Scene) -> None:
        scene.valkey.signal(signal.SIGCONT)


class RedisLostTail(Fault):
    """As after a power cut: the append-only file ends at any byte."""

    kind = "redis-lost-tail"
    tiers = EVERY
    rolls_back = True

    async def inject(self, scene: Scene) -> None:
        await kill(scene)
        file = scene.valkey.newest_log()
        size = file.stat().st_size
        cut = scene.rng.randrange(int(size * (1 - DEEPEST_CUT * scene.rng.random())), size + 1)
        with file.open("r+b") as log:
            log.truncate(cut)

    async def heal(self, scene: Scene) -> None:
        await start(scene)
        await scene.load_library()  # an operator looks after the functions, should they be lost


class RedisOlderCopy(Fault):
    kind = "redis-older-copy"
    tiers = EVERY
    rolls_back = True

    async def inject(self, scene: Scene) -> None:
        await asyncio.to_thread(scene.valkey.copy_files)
        await asyncio.sleep(scene.rng.uniform(*COPY_AGE_S))
        await kill(scene)
        await asyncio.to_thread(scene.valkey.put_copy_back)

    async def heal(self, scene: Scene) -> None:
        await start(scene)
        await scene.load_library()


# One script each, so that no other client's write comes between listing and copying.
_DUMP = """local out = {} for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
out[#out + 1] = key out[#out + 1] = redis.call('DUMP', key) end return out"""
_RESTORE = """for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end
for i = 2, #ARGV, 2 do redis.call('RESTORE', ARGV[i], 0, ARGV[i + 1]) end return #ARGV"""


class SlotRolledBack(Fault):
    """As a failover to a replica that was behind: one slot is as it was seconds ago."""

    kind = "redis-slot-rolled-back"
    tiers = EVERY
    rolls_back = True

    async def inject(self, scene: Scene) -> None:
        slot = scene.rng.randrange(SLOTS)
        pattern = f"{scene.settings.redis_prefix}*{{{slot}}}*"
        async with scene.redis() as wire:
            copy: list[Any] = await wire.call("EVAL", _DUMP, 0, pattern)
            await asyncio.sleep(scene.rng.uniform(*COPY_AGE_S))
            await wire.call("EVAL", _RESTORE, 0, pattern, *copy)


class RedisPaused(Fault):
    """It ends by itself: a server that holds back all commands takes no word to go on either."""

    kind = "redis-client-pause"
    tiers = EVERY

    async def inject(self, scene: Scene) -> None:
        pause_ms = round(1000 * scene.rng.uniform(*PAUSE_S))
        async with scene.redis() as wire:
            await wire.call("CLIENT", "PAUSE", pause_ms, scene.rng.choice(("ALL", "WRITE")))

    async def heal(self, scene: Scene) -> None:
        """Returns when a write is taken again."""
        async with scene.redis() as wire:
            await wire.call("DEL", f"{scene.settings.redis_prefix}none", timeout_s=WRITES_AGAIN_S)


class ClientsKilled(Fault):
    kind = "redis-clients-killed"
    tiers = EVERY

    async def inject(self, scene: Scene) -> None:
        async with scene.redis() as wire:
            await wire.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


class FunctionsGone(Fault):
    kind = "redis-functions-gone"
    tiers = EVERY
    halts = True

    async def inject(self, scene: Scene) -> None:
        async with scene.redis() as wire:
            await wire.call("FUNCTION", "FLUSH", "SYNC")

    async def heal(self, scene: Scene) -> None:
        await scene.load_library()


class Wiped(Fault):
    """Everything is gone; the operator sets it up anew, and the log fills it again."""

    kind = "redis-wiped"
    tiers = EVERY
    halts = True
    rolls_back = True

    async def inject(self, scene: Scene) -> None:
        async with scene.redis() as wire:
            await wire.pipeline([("MULTI",), ("FLUSHALL",), ("FUNCTION", "FLUSH"), ("EXEC",)])

    async def heal(self, scene: Scene) -> None:
        await scene.load_library()


KINDS: tuple[type[Fault], ...] = (
    RedisKilled,
    RedisStopped,
    RedisLostTail,
    RedisOlderCopy,
    SlotRolledBack,
    RedisPaused,
    ClientsKilled,
    FunctionsGone,
    Wiped,
)
