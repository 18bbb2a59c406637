"""Tier A: thousands of made-up workers, killed and rolled back in milliseconds on a real server."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from millstream.domain.errors import OperatorError
from millstream.local.chaos.report import Report
from millstream.local.chaos.schedules import Schedule
from millstream.local.valkey import Valkey
from millstream.stores.keys import Keys
from millstream.stores.redis import connect

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis

SEEDS_APART = 1_000_000


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
