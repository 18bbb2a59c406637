"""A trainer dies around its pointer swap, with another one at work beside it."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import ClassVar

from millstream.local.chaos.faults.fault import Fault, NothingToBreak
from millstream.local.chaos.faults.pointer import current
from millstream.local.chaos.made_up_model import MODEL, TENANT
from millstream.local.chaos.scene import Scene
from millstream.local.chaos.worker_process import WorkerProcess
from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import Registry
from millstream.model.signed_files import Identity
from millstream.model.signing import load_public_key

TRAINER = ("-m", "millstream.local.chaos.bare_trainer")
MANY, FEW = 60, 3
"""Versions that the one makes which is to die, and the one which is to end."""
ENDS_WITHIN_S = 60.0
POLL_S = 0.1


class TrainerKilled(Fault):
    """At a named place. Afterwards the pointer stands no lower and on a whole version."""

    point: ClassVar[str]
    most: ClassVar[int]
    needs_broker = True

    async def inject(self, scene: Scene) -> None:
        before = await current(scene)
        variables = scene.operator_variables()
        at = f"{self.point}:{scene.rng.randrange(1, self.most + 1)}"
        dying = _trainer(scene, MANY, {**variables, "MILLSTREAM_FAILPOINT": at})
        other = _trainer(scene, FEW, variables)
        try:
            await asyncio.gather(*(asyncio.to_thread(one.start) for one in (dying, other)))
            codes = [await _ended(one) for one in (dying, other)]
        finally:
            for one in (dying, other):
                await asyncio.to_thread(one.close)
        if codes[0] != -signal.SIGKILL:
            raise NothingToBreak
        if codes[1]:
            scene.watch.violations.append(
                f"{self.kind}: the trainer beside it ended with {codes[1]}"
            )
        await _require_whole(scene, before, self.kind)


def _trainer(scene: Scene, versions: int, variables: dict[str, str]) -> WorkerProcess:
    seed = scene.rng.randrange(2**32)
    return WorkerProcess((*TRAINER, str(seed), str(versions)), variables)


async def _ended(process: WorkerProcess) -> int | None:
    """The exit code; None: it is still there after a while."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while time.monotonic() < deadline:
        if not process.alive:
            return process.exit_code
        await asyncio.sleep(POLL_S)
    return None


async def _require_whole(scene: Scene, before: tuple[int, str] | None, kind: str) -> None:
    after = await current(scene)
    if after is None or (before is not None and after[0] < before[0]):
        scene.watch.violations.append(f"{kind}: the pointer went from {before} to {after}")
        return
    try:
        key = load_public_key(scene.settings.keys_dir)
        registry = Registry(scene.settings.model_store)
        await asyncio.to_thread(registry.load, key, Identity(TENANT, MODEL, *after))
    except ArtifactRefused as refused:
        scene.watch.violations.append(f"{kind}: the current version is refused: {refused.reason}")


class KilledWriting(TrainerKilled):
    """At any sync, rename or move of the pointer of its first two versions (model/partial.py)."""

    kind = "trainer-killed-writing"
    point, most = "model-life", 20


class KilledUnannounced(TrainerKilled):
    """The pointer has moved, and nobody was told."""

    kind = "trainer-killed-unannounced"
    point, most = "before-announce", FEW


KINDS: tuple[type[Fault], ...] = (KilledWriting, KilledUnannounced)
