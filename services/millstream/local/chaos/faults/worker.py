"""Workers that die, freeze, wake, join and leave."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import ClassVar

from millstream.local.chaos.faults.fault import BOTH, EVERY, Fault, NothingToBreak
from millstream.local.chaos.scene import Scene, Tier
from millstream.local.chaos.worker_process import CLOCK_VARIABLE
from millstream.local.chaos.workers import Member

FAUST_ONLY: tuple[Tier, ...] = ("faust",)
BARE_ONLY: tuple[Tier, ...] = ("bare",)
CLOCK_OFF_S = 3_600
MOST_MEMBERS = 3
REACHED_WITHIN_S = 40.0
RAN_FOR_S = 1.0


def victim(scene: Scene) -> Member:
    """One that has had time to begin. Raises NothingToBreak."""
    now = time.monotonic()
    running = [
        member
        for member in scene.crew.members
        if member.process.alive and not member.leaving and now - member.since > RAN_FOR_S
    ]
    if not running:
        raise NothingToBreak
    return scene.rng.choice(running)


class WorkerKilled(Fault):
    kind = "worker-killed"
    tiers = EVERY

    async def inject(self, scene: Scene) -> None:
        victim(scene).process.signal(signal.SIGKILL)


class AllWorkersKilled(Fault):
    kind = "all-workers-killed"
    tiers = EVERY

    async def inject(self, scene: Scene) -> None:
        victim(scene)
        for member in scene.crew.members:
            if member.process.alive:
                member.process.signal(signal.SIGKILL)


class WorkerTerminated(Fault):
    kind = "worker-terminated"
    tiers = EVERY

    async def inject(self, scene: Scene) -> None:
        victim(scene).process.signal(signal.SIGTERM)


class WorkerStopped(Fault):
    kind = "worker-stopped"
    tiers = EVERY
    hold_s = (0.5, 3.0)

    async def inject(self, scene: Scene) -> None:
        self._member = victim(scene)
        self._member.process.signal(signal.SIGSTOP)

    async def heal(self, scene: Scene) -> None:  # noqa: ARG002
        if self._member.process.alive:
            self._member.process.signal(signal.SIGCONT)


class Zombie(Fault):
    """It sleeps until another has its partitions, and wakes in the middle of its work."""

    kind = "worker-zombie"
    tiers = EVERY
    hold_s = (8.0, 10.0)

    async def inject(self, scene: Scene) -> None:
        self._member = victim(scene)
        self._member.process.signal(signal.SIGSTOP)
        if scene.crew.bare:  # there is no group that would notice
            crew = scene.crew
            parts = self._member.process.variables
            crew.members.remove(self._member)
            crew.zombies.append(self._member)
            successor = await crew.add()
            successor.process.variables.update(parts)
            await successor.start()

    async def heal(self, scene: Scene) -> None:
        if self._member.process.alive:
            self._member.process.signal(signal.SIGCONT)
        if scene.crew.bare:
            await asyncio.sleep(scene.rng.uniform(1.0, 2.0))  # both work at once
            await self._member.kill()


class ClockOff(Fault):
    """It starts again with a wall clock an hour before or behind; what counts goes by the log's."""

    kind = "worker-clock-off"
    tiers = BARE_ONLY
    hold_s = (3.0, 6.0)

    async def inject(self, scene: Scene) -> None:
        self._member = victim(scene)
        ahead_s = scene.rng.choice((-CLOCK_OFF_S, CLOCK_OFF_S))
        self._member.process.variables[CLOCK_VARIABLE] = str(ahead_s)
        self._member.process.signal(signal.SIGKILL)

    async def heal(self, scene: Scene) -> None:  # noqa: ARG002
        del self._member.process.variables[CLOCK_VARIABLE]
        if self._member.process.alive:
            self._member.process.signal(signal.SIGKILL)


class WorkerAdded(Fault):
    kind = "worker-added"
    tiers = FAUST_ONLY

    async def inject(self, scene: Scene) -> None:
        if len(scene.crew.members) >= MOST_MEMBERS:
            raise NothingToBreak
        await (await scene.crew.add()).start()


class WorkerRemoved(Fault):
    """It leaves in good order; should too few be left, another joins in its place."""

    kind = "worker-removed"
    tiers = FAUST_ONLY
    hold_s = (2.0, 5.0)

    async def inject(self, scene: Scene) -> None:
        member = victim(scene)
        member.leaving = True
        await asyncio.to_thread(member.process.stop)
        scene.crew.members.remove(member)
        await asyncio.to_thread(member.process.close)

    async def heal(self, scene: Scene) -> None:
        if len(scene.crew.members) < scene.crew.size:
            await (await scene.crew.add()).start()


class KilledAt(Fault):
    """Killed by itself at the n-th passage of a named place (domain/failpoints.py)."""

    point: ClassVar[str]
    most: ClassVar[int] = 10

    async def inject(self, scene: Scene) -> None:
        member = victim(scene)
        member.ended.clear()
        member.process.arm(f"{self.point}:{scene.rng.randrange(1, self.most)}")
        try:
            async with asyncio.timeout(REACHED_WITHIN_S):
                await member.ended.wait()
        except TimeoutError:
            if member.process.alive:
                member.process.arm("")
            raise NothingToBreak from None
        if not member.died_of(signal.SIGKILL):
            raise NothingToBreak

    async def heal(self, scene: Scene) -> None:
        """The crew starts it again without the failpoint."""


def killed_at(point: str, most: int = 10, tiers: tuple[Tier, ...] = BOTH) -> type[KilledAt]:
    members = {"point": point, "kind": f"killed-{point}", "most": most, "tiers": tiers}
    return type(f"KilledAt_{point}", (KilledAt,), members)


POINTS = ("after-poll", "before-call", "after-calls", "before-produce", "after-produce")
KILLED_AT = (
    *(killed_at(point) for point in POINTS),
    killed_at("before-commit", 4),
    killed_at("after-commit", 4),
)
KINDS: tuple[type[Fault], ...] = (
    WorkerKilled,
    AllWorkersKilled,
    WorkerTerminated,
    WorkerStopped,
    Zombie,
    ClockOff,
    WorkerAdded,
    WorkerRemoved,
    *KILLED_AT,
)
