"""Redis lives and refuses: full, without replicas or disk, read-only, or about to evict."""

from __future__ import annotations

from millstream.local.chaos.faults.fault import EVERY, Fault, NothingToBreak
from millstream.local.chaos.faults.redis import start
from millstream.local.chaos.scene import Scene

ROOM_BYTES = 20_000


class _Configured(Fault):
    hold_s = (1.0, 4.0)
    setting: str
    broken: str
    whole: str

    async def inject(self, scene: Scene) -> None:
        async with scene.redis() as wire:
            await wire.call("CONFIG", "SET", self.setting, self.broken)

    async def heal(self, scene: Scene) -> None:
        async with scene.redis() as wire:
            await wire.call("CONFIG", "SET", self.setting, self.whole)


class RedisFull(_Configured):
    kind = "redis-full"
    tiers = EVERY
    setting, broken, whole = "maxmemory", "1", "0"


class TooFewReplicas(_Configured):
    kind = "redis-too-few-replicas"
    tiers = EVERY
    setting, broken, whole = "min-replicas-to-write", "1", "0"


class Evicting(_Configured):
    kind = "redis-evicting"
    tiers = EVERY
    hold_s = (0.0, 0.0)
    halts = True
    setting, broken, whole = "maxmemory-policy", "allkeys-lru", "noeviction"


class ReadOnly(Fault):
    """A former master that is a replica now, of one that can't be reached."""

    kind = "redis-read-only"
    tiers = EVERY
    hold_s = (1.0, 4.0)

    async def inject(self, scene: Scene) -> None:
        async with scene.redis() as wire:
            await wire.call("REPLICAOF", "127.0.0.1", 9)

    async def heal(self, scene: Scene) -> None:
        async with scene.redis() as wire:
            await wire.call("REPLICAOF", "NO", "ONE")


class DiskFull(Fault):
    """The append-only file may not grow: writes are refused with MISCONF."""

    kind = "redis-disk-full"
    tiers = EVERY
    hold_s = (2.0, 4.0)

    async def inject(self, scene: Scene) -> None:
        size = scene.valkey.newest_log().stat().st_size
        scene.valkey.limit_files(size + ROOM_BYTES)

    async def heal(self, scene: Scene) -> None:
        if not scene.valkey.alive:  # a write at the wrong moment ends it
            await start(scene)
            raise NothingToBreak
        scene.valkey.limit_files(-1)


KINDS: tuple[type[Fault], ...] = (RedisFull, TooFewReplicas, Evicting, ReadOnly, DiskFull)
