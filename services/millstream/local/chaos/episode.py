"""START HERE for one episode of tier B, C or D: a fresh deployment under load, fault after fault,
then a reckoning.

1. topics, functions and workers of its own, on the run's servers (staging.py)
2. load flows; a fault is injected, held, healed; counting must begin again; then the next
   (breaking.py)
3. the load ends; all of it is counted; state and lists are compared with the oracle's reading of
   the log (reckoning.py, verdict.py)
4. a last fault after which nothing may be counted: every worker must halt"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack

from millstream.domain.errors import OperatorError
from millstream.local.chaos.breaking import AGAIN_S, break_once, end_with
from millstream.local.chaos.plan import Plan, Servers, Told
from millstream.local.chaos.reckoning import reckon
from millstream.local.chaos.report import Report
from millstream.local.chaos.reviews.reckoning import reckon as reckon_reviews
from millstream.local.chaos.scene import Scene
from millstream.local.chaos.staging import staged
from millstream.local.chaos.traffic import Kind

SLOW_S = 30.0
"""A recovery that took longer is worth a look at the logs."""


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
    quiet = servers.kafka.quiet
    async with AsyncExitStack() as stack:
        async with quiet.needed():
            scene = await stack.enter_async_context(staged(plan, servers))
            told("the workers start")
            if await scene.watch.counting_again(AGAIN_S) is None:
                raise _never_began(scene)
        await _faults(plan, scene, report, began + plan.seconds, told)
        async with quiet.needed():
            told("all is counted and compared")
            await scene.load.finish()
            await (reckon_reviews if plan.tier == "reviews" else reckon)(scene, report, told)
            if plan.last is not None:
                await end_with(plan.last(), scene, report, told)
        _add_up(scene, report)
        is_slow = max(report.recoveries_s, default=0.0) > SLOW_S
        if plan.logs is not None and (report.broken or is_slow):
            scene.crew.keep_logs(plan.logs / str(plan.seed))
    report.seconds = time.monotonic() - began
    return report


async def _faults(plan: Plan, scene: Scene, report: Report, deadline: float, told: Told) -> None:
    while time.monotonic() < deadline and (kind := plan.deck.draw(plan.tier)) is not None:
        if not await break_once(kind(), scene, report, told):
            plan.deck.put_back(kind)


def _never_began(scene: Scene) -> OperatorError:
    logs = "\n".join(member.process.log_tail() for member in scene.crew.members)
    return OperatorError(
        "the workers",
        f"nothing counted {AGAIN_S:.0f} s after the start",
        "counting, before any fault",
        f"Their logs end with:\n{logs}",
    )


def _add_up(scene: Scene, report: Report) -> None:
    report.violations += scene.watch.violations
    report.duplicates_sent += scene.load.acknowledged[Kind.REPEAT]
    report.poison_sent += scene.load.acknowledged[Kind.POISON]
