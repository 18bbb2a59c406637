"""When the load has ended: is all of it counted, and as the oracle says."""

from __future__ import annotations

import asyncio
import contextlib
import time

from millstream.local.chaos.lake_recount import compare_apart, folder_of, reach
from millstream.local.chaos.plan import Told
from millstream.local.chaos.report import Report
from millstream.local.chaos.scene import Scene
from millstream.local.chaos.verdict import judge
from millstream.local.chaos.watch import AWAY, read_slots
from millstream.local.chaos.watermark import committed_offsets
from millstream.local.chaos.workers import Member
from millstream.recommender.settings import RecommenderSettings
from millstream.settings import load

ALL_COUNTED_S = 180.0
POLL_S = 0.2


async def reckon(scene: Scene, report: Report, told: Told) -> None:
    if not await _all_counted(scene):
        report.violations.append(f"not all was counted {ALL_COUNTED_S:.0f} s after the load")
    told("all is counted; the oracle reads the log")
    verdict = await judge(scene)
    report.accepted += verdict.accepted
    report.lost += verdict.lost
    report.doubled += verdict.doubled
    report.resurrected += verdict.resurrected
    report.conservation_residue += verdict.residue
    report.violations += verdict.violations
    for lake in scene.crew.others:
        report.violations += await _lake(scene, lake)


async def _lake(scene: Scene, lake: Member) -> list[str]:
    """What differs from the log when the writer has caught up and ended."""
    folder, deadline = scene.settings.lake_dir, time.monotonic() + ALL_COUNTED_S
    ends = scene.load.ends
    while any(reach(folder_of(folder, scene.topic, p)) < end for p, end in ends.items()):
        if time.monotonic() > deadline:
            return [f"the lake has not caught up {ALL_COUNTED_S:.0f} s after the load"]
        await asyncio.sleep(POLL_S)
    lake.leaving = True
    await asyncio.to_thread(lake.process.stop)
    return await compare_apart(scene.settings.kafka_bootstrap_servers, scene.topic, folder)


async def _all_counted(scene: Scene) -> bool:
    """Every slot stands at the end of every partition, and so does the watermark of the lists."""
    deadline = time.monotonic() + ALL_COUNTED_S
    ends = scene.load.ends
    group = scene.settings.topic(load(RecommenderSettings).group)
    async with committed_offsets(scene.kafka.bootstrap_servers, group, scene.topic) as read:
        while time.monotonic() < deadline:
            with contextlib.suppress(*AWAY):
                async with scene.redis() as wire:
                    slots = await read_slots(wire, scene.where)
                counted = all(slot.fences.get(p) == e for slot in slots for p, e in ends.items())
                if counted and await read(ends) == dict(ends):
                    return True
            await asyncio.sleep(POLL_S)
    return False
