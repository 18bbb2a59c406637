"""Tier A: thousands of made-up workers, killed and rolled back in milliseconds on a real server."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from millstream.domain.errors import OperatorError
from millstream.local.chaos.apart import apart, hand_back
from millstream.local.chaos.mutants import SOURCE
from millstream.local.chaos.report import Report
from millstream.local.chaos.schedules import Schedule
from millstream.local.valkey import Valkey
from millstream.stores.keys import Keys
from millstream.stores.redis import connect

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis

SEEDS_APART = 1_000_000
NICENESS = 5


async def simulate(
    seed: int,
    library: str,
    *,
    seconds: float,
    most: int,
    stop_at_first: bool,
    told: Callable[[int], None],
) -> Report:
    """Schedules until the time is over or `most` have run; with `stop_at_first` also when one was
    not exact. Raises OperatorError, which names the schedule, where one can't be played."""
    report = Report(seed)
    deadline = time.monotonic() + seconds
    with Valkey() as server:
        redis = connect(server.url)
        try:
            await redis.function_load(library, replace=True)
            while report.schedules < most and time.monotonic() < deadline:
                number = seed * SEEDS_APART + report.schedules
                found = await _problems(redis, number)
                report.schedules += 1
                report.violations += [f"schedule {number}: {what}" for what in found[:3]]
                told(report.schedules)
                if found and stop_at_first:
                    break
        finally:
            await redis.aclose()
    return report


async def simulated_apart(seed: int, most: int, seconds: float) -> Report:
    """The same with the whole library, in a process of its own."""
    numbers = map(str, (seed, most, seconds))
    found: Report = await apart("millstream.local.chaos.simulation", *numbers)
    return found


async def _problems(redis: Redis, number: int) -> list[str]:
    schedule = Schedule(redis, Keys(f"{number}:"), number)
    try:
        await schedule.run()
        found = await schedule.problems()
        await schedule.forget()
    except Exception as error:
        raise OperatorError(
            f"the chaos harness, in schedule {number}",
            f"{type(error).__name__}: {error}",
            "a schedule that is played to its end",
            "Nothing is shown by this run, for the workers or against them",
        ) from error
    return found


if __name__ == "__main__":
    os.nice(NICENESS)
    hand_back(
        asyncio.run(
            simulate(
                int(sys.argv[1]),
                SOURCE,
                most=int(sys.argv[2]),
                seconds=float(sys.argv[3]),
                stop_at_first=False,
                told=lambda _: None,
            )
        )
    )
