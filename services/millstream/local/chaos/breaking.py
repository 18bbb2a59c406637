"""One fault: injected, expected to halt the workers or not, held, healed, and recovered from."""

from __future__ import annotations

import asyncio
from collections import Counter

from millstream.local.chaos.faults import Fault, NothingToBreak
from millstream.local.chaos.plan import Told
from millstream.local.chaos.report import Report
from millstream.local.chaos.scene import Scene
from millstream.local.chaos.watch import read_slots, sums

HALT_S = 10.0
"""The promise: nothing is counted any more after so long."""
START_S = 45.0
"""A worker that has to start first, on a machine on which other lanes' workers do too, may take so
much longer; it counts nothing before it has compared."""
EXIT_S = 15.0
"""A halted worker that can't close what it has open is ended by itself (way_out.py)."""
AGAIN_S = 120.0
"""Other lanes may break the broker meanwhile, and the machine be busy."""
BREATH_S = 0.5


async def break_once(fault: Fault, scene: Scene, report: Report, told: Told) -> bool:
    """False, and nothing is noted, where the fault does not apply just now."""
    quiet = scene.kafka.quiet
    if fault.breaks_broker:
        with quiet.broken() as may:
            applied = may and await _broken(fault, scene, report, told)
    elif fault.halts or fault.needs_broker:
        async with quiet.needed():  # whose last break may still be felt
            await scene.watch.counting_again(AGAIN_S)
            applied = await _broken(fault, scene, report, told)
    else:
        applied = await _broken(fault, scene, report, told)
    await asyncio.sleep(scene.rng.uniform(0.0, 2 * BREATH_S))
    return applied


async def _broken(fault: Fault, scene: Scene, report: Report, told: Told) -> bool:
    told(fault.kind)
    scene.watch.rolling |= fault.rolls_back
    scene.crew.held = fault.halts
    try:
        await fault.inject(scene)
        if fault.halts:
            await _expect_halt(fault, scene, report)
        await asyncio.sleep(scene.rng.uniform(*fault.hold_s))
        await fault.heal(scene)
    except NothingToBreak:
        told(f"{fault.kind}: does not apply just now")
        return False
    finally:
        scene.crew.held = False
    report.faults_by_kind[fault.kind] += 1
    await _recovered(fault, scene, report, told)
    return True


async def _recovered(fault: Fault, scene: Scene, report: Report, told: Told) -> None:
    took = await scene.watch.counting_again(AGAIN_S)
    scene.watch.rolling = False
    if took is None:
        where = f"{fault.kind} in episode {report.seed}"
        report.violations.append(f"no counting on all partitions {AGAIN_S:.0f} s after {where}")
        return
    report.recoveries_s.append(round(took, 3))
    behind = scene.load.ends.total() - scene.watch.counted()
    told(f"{fault.kind}: counting again after {took:.1f} s, {behind:,} records behind")


async def _expect_halt(fault: Fault, scene: Scene, report: Report) -> None:
    if not await scene.crew.halted(HALT_S + (START_S if fault.starts_workers else 0.0)):
        return
    async with scene.redis() as wire:
        before = sums(await read_slots(wire, scene.where))
        missed = await scene.crew.halted(EXIT_S)
        after = sums(await read_slots(wire, scene.where))
    if missed:
        report.missed_halts += missed
        codes = [member.process.exit_code for member in scene.crew.members]
        report.violations.append(f"{fault.kind}: {missed} workers did not halt: {codes}")
    elif before != after:
        report.missed_halts += 1
        report.violations.append(f"{fault.kind}: counted {HALT_S:.0f} s after it and later")


async def end_with(fault: Fault, scene: Scene, report: Report, told: Told) -> None:
    """The last fault. Nothing may be counted from it on."""
    told(fault.kind)
    scene.crew.held = True
    async with scene.redis() as wire:
        before = sums(await read_slots(wire, scene.where))
    await fault.inject(scene)
    report.faults_by_kind[fault.kind] += 1
    waits = [
        asyncio.create_task(wait)
        for wait in (_expect_halt(fault, scene, report), _counted_more(scene, before))
    ]
    done, rest = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for task in done:
        task.result()
    async with scene.redis() as wire:
        after = sums(await read_slots(wire, scene.where))
    if after != before:
        more = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        report.doubled += max(0, more.get("acc", 0))
        report.violations.append(f"{fault.kind}: counted of a log that is another: {more}")


async def _counted_more(scene: Scene, before: Counter[str]) -> None:
    """Returns when something has been counted; there is nothing to wait for then."""
    while True:
        async with scene.redis() as wire:
            if sums(await read_slots(wire, scene.where)) != before:
                return
        await asyncio.sleep(BREATH_S)
