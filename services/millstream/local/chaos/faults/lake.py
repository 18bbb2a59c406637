"""The lake's writer dies: what stands in its files is the log all the same, each record once."""

from __future__ import annotations

import asyncio
import signal
import time

from millstream.local.chaos.faults.fault import Fault, NothingToBreak
from millstream.local.chaos.scene import Scene
from millstream.local.chaos.workers import LAKE

BEGUN_WITHIN_S = 30.0
LIVES_S = (0.0, 3.0)
POLL_S = 0.1


class LakeKilled(Fault):
    """The first time there is none yet: it begins at the log's start. From then on it goes on
    beside the workers, and is compared with the log at the reckoning."""

    kind = "lake-killed"

    async def inject(self, scene: Scene) -> None:
        if not scene.crew.others:
            member = scene.crew.beside(LAKE, scene.operator_variables())
            await member.start()
        (member,) = scene.crew.others
        deadline = time.monotonic() + BEGUN_WITHIN_S
        while not any(scene.settings.lake_dir.rglob("*.parquet")):
            if time.monotonic() > deadline:
                raise NothingToBreak
            await asyncio.sleep(POLL_S)
        await asyncio.sleep(scene.rng.uniform(*LIVES_S))
        if not member.process.alive:
            raise NothingToBreak
        member.process.signal(signal.SIGKILL)


KINDS: tuple[type[Fault], ...] = (LakeKilled,)
