"""One episode of tier B or C: a fresh deployment under load, fault after fault, then a reckoning.

1. topics, functions and workers of its own, on the run's servers
2. load flows; a fault is injected, held, healed; counting must begin again; then the next
3. the load ends; all of it is counted
4. state and lists are compared with the oracle's reading of the log (verdict.py)
5. a last fault after which nothing may be counted: every worker must halt"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from millstream.domain.clock import wall_clock
from millstream.domain.errors import OperatorError
from millstream.local.chaos.faults import Fault, NothingToBreak
from millstream.local.chaos.load import Load
from millstream.local.chaos.report import Report
from millstream.local.chaos.scene import (
    PARTITIONS,
    SLOTS,
    Scene,
    Tier,
    operator_settings,
    worker_variables,
)
from millstream.local.chaos.servers import BreakableValkey, ProxiedKafka
from millstream.local.chaos.traffic import Kind, Mix, Shop, Traffic
from millstream.local.chaos.verdict import judge
from millstream.local.chaos.watch import AWAY, Watch, Where, read_slots, sums
from millstream.local.chaos.watermark import committed_offsets
from millstream.local.chaos.workers import Crew
from millstream.recommender.settings import RecommenderSettings
from millstream.settings import load
from millstream.setup import set_up
from millstream.streaming.topics import EVENTS

HALT_S = 10.0
AGAIN_S = 60.0
ALL_COUNTED_S = 120.0
BREATH_S = 0.5
POLL_S = 0.2

Told = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """`kinds` come in this order; after the last one the episode ends, as it does when `seconds`
    are over. `last`: the fault after the reckoning."""

    tier: Tier
    seed: int
    seconds: float
    rate: float
    kinds: Iterable[type[Fault]]
    last: type[Fault] | None
    library: str
    without: str | None
    logs: Path | None = None
    """Where the workers' logs go if a promise was broken."""


@dataclass(frozen=True)
class Servers:
    kafka: ProxiedKafka
    valkey: BreakableValkey
    home: Path


async def play(plan: Plan, servers: Servers, told: Told) -> Report:
    """Raises OperatorError, which names the fault, where the harness itself fails or the workers
    do not begin to count: that says nothing of any promise."""
    stage = "the start"

    def noted(what: str) -> None:
        nonlocal stage
        stage = what
        told(what)

    try:
        return await _played(plan, servers, noted)
    except ExceptionGroup as several:
        raise _failed(plan, stage, several.exceptions[0]) from several
    except Exception as error:
        raise _failed(plan, stage, error) from error


def _failed(plan: Plan, stage: str, error: Exception) -> OperatorError:
    told = str(error) if isinstance(error, OperatorError) else f"{type(error).__name__}: {error}"
    return OperatorError(
        f"the chaos harness, in episode {plan.seed} ({plan.tier}) at '{stage}'",
        told,
        "servers that take the fault and are whole again after it",
        "Nothing is shown by this run, for the workers or against them",
    )


async def _played(plan: Plan, servers: Servers, told: Told) -> Report:
    report = Report(plan.seed, episodes=1)
    began = time.monotonic()
    async with _set(plan, servers) as scene:
        told("the workers start")
        if await scene.watch.counting_again(AGAIN_S) is None:
            raise _never_began(scene)
        deadline = began + plan.seconds
        for kind in plan.kinds:
            if time.monotonic() >= deadline:
                break
            await _break(kind(), scene, report, told)
        told("all is counted and compared")
        await scene.load.finish()
        await _reckon(scene, report, told)
        if plan.last is not None:
            await _end(plan.last(), scene, report, told)
        report.violations += scene.watch.violations
        _count_sent(scene, report)
        if report.broken and plan.logs is not None:
            scene.crew.keep_logs(plan.logs / str(plan.seed))
    report.seconds = time.monotonic() - began
    return report


def _never_began(scene: Scene) -> OperatorError:
    logs = "\n".join(member.process.log_tail() for member in scene.crew.members)
    return OperatorError(
        "the workers",
        f"nothing counted {AGAIN_S:.0f} s after the start",
        "counting, before any fault",
        f"Their logs end with:\n{logs}",
    )


async def _break(fault: Fault, scene: Scene, report: Report, told: Told) -> None:
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
        return
    finally:
        scene.crew.held = False
    report.faults_by_kind[fault.kind] += 1
    took = await scene.watch.counting_again(AGAIN_S)
    scene.watch.rolling = False
    if took is None:
        where = f"{fault.kind} in episode {report.seed}"
        report.violations.append(f"no counting on all partitions {AGAIN_S:.0f} s after {where}")
    else:
        report.recoveries_s.append(round(took, 3))
        behind = scene.load.ends.total() - scene.watch.counted()
        told(f"{fault.kind}: counting again after {took:.1f} s, {behind:,} records behind")
    await asyncio.sleep(scene.rng.uniform(0.0, 2 * BREATH_S))


async def _expect_halt(fault: Fault, scene: Scene, report: Report) -> None:
    missed = await scene.crew.halted(HALT_S)
    if missed:
        report.missed_halts += missed
        codes = [member.process.exit_code for member in scene.crew.members]
        report.violations.append(f"{fault.kind}: {missed} workers did not halt: {codes}")


async def _reckon(scene: Scene, report: Report, told: Told) -> None:
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


async def _end(fault: Fault, scene: Scene, report: Report, told: Told) -> None:
    """Nothing may be counted from the fault on."""
    told(fault.kind)
    scene.crew.held = True
    async with scene.redis() as wire:
        before = sums(await read_slots(wire, scene.where))
    await fault.inject(scene)
    report.faults_by_kind[fault.kind] += 1
    await _expect_halt(fault, scene, report)
    async with scene.redis() as wire:
        after = sums(await read_slots(wire, scene.where))
    if after != before:
        more = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        report.doubled += max(0, more.get("acc", 0))
        report.violations.append(f"{fault.kind}: counted of a log that is another: {more}")


def _count_sent(scene: Scene, report: Report) -> None:
    report.duplicates_sent += scene.load.acknowledged[Kind.REPEAT]
    report.poison_sent += scene.load.acknowledged[Kind.POISON]


@asynccontextmanager
async def _proxied(servers: Servers) -> AsyncIterator[None]:
    proxies = (servers.kafka.proxy, servers.valkey.proxy)
    for proxy in proxies:
        await proxy.open()
    try:
        yield
    finally:
        for proxy in proxies:
            await proxy.close()


@asynccontextmanager
async def _set(plan: Plan, servers: Servers) -> AsyncIterator[Scene]:
    """The deployment, its load flowing and its workers started; gone on exit."""
    prefix = f"c{plan.seed}."
    kafka, valkey = servers.kafka, servers.valkey
    settings = operator_settings(kafka, valkey, servers.home, prefix)
    await set_up(settings, slots=SLOTS, replay=False, partitions=PARTITIONS)
    rng = random.Random(plan.seed)  # noqa: S311  a seed, not a secret
    topic = settings.topic(EVENTS)
    traffic = Traffic(plan.seed, Shop(PARTITIONS), Mix(), wall_clock)
    variables = worker_variables(kafka, valkey, servers.home, prefix)
    if plan.without == "witness":
        variables["MILLSTREAM_CHAOS_WITHOUT"] = plan.without
    where = Where(valkey.port, settings.redis_prefix, topic, SLOTS)
    scene = Scene(
        tier=plan.tier,
        kafka=kafka,
        valkey=valkey,
        settings=settings,
        library=plan.library,
        crew=Crew(plan.tier == "bare", variables, PARTITIONS),
        load=Load(kafka.bootstrap_servers, topic, traffic, plan.rate),
        watch=Watch(where, rng),
        rng=rng,
    )
    scene.load.counted = scene.watch.counted
    await scene.load_library()
    async with _proxied(servers), _running(scene):
        yield scene


@asynccontextmanager
async def _running(scene: Scene) -> AsyncIterator[None]:
    """What fails beside the body ends it: nothing would be shown by going on."""
    try:
        async with asyncio.TaskGroup() as beside:
            tasks = [beside.create_task(w) for w in (scene.load.run(), scene.watch.run())]
            await scene.crew.start()
            tasks.append(beside.create_task(scene.crew.supervise()))
            yield
            for task in tasks:
                task.cancel()
    finally:
        await scene.crew.close()
        await scene.load.finish()
