"""`millstream chaos --without CHECK`: the simulated tier finds every check of the library."""

from __future__ import annotations

import pytest

from millstream.local.chaos.mutants import CHECKS, SOURCE, without_check
from millstream.local.chaos.simulation import simulate

IN_LIBRARY = [check for check, name in CHECKS.items() if name is not None]
SECONDS = 60.0
"""The command has three minutes."""


@pytest.mark.parametrize("seed", [1, 77, 901])
@pytest.mark.parametrize("check", IN_LIBRARY)
async def test_a_missing_check_is_found_with_any_seed(check: str, seed: int) -> None:
    report = await simulate(
        seed,
        without_check(check),
        seconds=SECONDS,
        most=10_000,
        stop_at_first=True,
        told=lambda _: None,
    )
    assert report.broken, f"{report.schedules} schedules are exact without {check}"


async def test_with_every_check_nothing_is_found() -> None:
    report = await simulate(
        5, SOURCE, seconds=SECONDS, most=50, stop_at_first=True, told=lambda _: None
    )
    assert (report.schedules, report.violations) == (50, [])
