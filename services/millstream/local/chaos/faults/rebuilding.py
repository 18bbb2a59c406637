"""Redis is gone, and an operator has it counted anew from the log (`millstream rebuild`)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from millstream.local.chaos.faults.fault import Fault
from millstream.local.chaos.scene import Scene

REBUILT_WITHIN_S = 240.0
MOST_COUNTED = 6
"""Portions after which a rebuild is killed."""


class Rebuilt(Fault):
    """Everything is gone while events go on coming; the recommenders are stopped, as the command
    wants it."""

    kind = "redis-rebuilt"
    rolls_back = True
    needs_broker = True

    async def inject(self, scene: Scene) -> None:
        for member in scene.crew.members:
            member.leaving = True  # nobody else is to start it meanwhile
        await asyncio.gather(
            *(asyncio.to_thread(member.process.stop) for member in scene.crew.members)
        )
        async with scene.redis() as wire:
            await wire.pipeline([("MULTI",), ("FLUSHALL",), ("FUNCTION", "FLUSH"), ("EXEC",)])
        await self.rebuild(scene)

    async def rebuild(self, scene: Scene) -> None:
        await rebuild_whole(scene)

    async def heal(self, scene: Scene) -> None:
        await scene.load_library()  # where a check is switched off, it stays so
        for member in scene.crew.members:
            await member.start()
            member.leaving = False


class RebuildKilled(Rebuilt):
    """The rebuild dies in the middle, and goes on with `--resume`."""

    kind = "rebuild-killed"

    async def rebuild(self, scene: Scene) -> None:
        point = f"rebuild-counted:{scene.rng.randrange(1, MOST_COUNTED)}"
        code, _ = await _run(scene, {"MILLSTREAM_FAILPOINT": point})
        if code != 0:  # else it was done before
            await rebuild_whole(scene, "--resume")


async def rebuild_whole(scene: Scene, *options: str) -> None:
    code, said = await _run(scene, {}, *options)
    if code != 0:
        scene.watch.violations.append(f"rebuild ended with {code}: {said[-500:]}")


async def _run(scene: Scene, variables: dict[str, str], *options: str) -> tuple[int, str]:
    """Exit code and what was said. Raises TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millstream", "rebuild", *options),
        env={**os.environ, **scene.operator_variables(), **variables},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(REBUILT_WITHIN_S):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, said.decode(errors="replace")


KINDS: tuple[type[Fault], ...] = (Rebuilt, RebuildKilled)
