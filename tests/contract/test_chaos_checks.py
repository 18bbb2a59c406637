"""`millstream chaos --without CHECK` ends with exit code 3 and says what broke. The simulated tier
finds what the library checks; the witness needs a broker: tests/live/test_chaos.py."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from millstream import logs
from millstream.cli.app import app
from millstream.cli.chaos import BROKEN, Check
from millstream.local.chaos.mutants import CHECKS, SOURCE
from millstream.local.chaos.simulation import simulate

IN_LIBRARY = [check for check in Check if check is not Check.WITNESS]
MINUTES = "2"
"""The command has three."""


def test_every_check_can_be_switched_off() -> None:
    assert set(Check) == set(CHECKS)


@pytest.mark.parametrize("seed", [1, 77, 901])
@pytest.mark.parametrize("check", IN_LIBRARY)
def test_a_missing_check_is_found_with_any_seed(
    monkeypatch: pytest.MonkeyPatch, check: Check, seed: int
) -> None:
    monkeypatch.setattr(logs, "configure", lambda _level: None)  # of this process, for others
    asked = ["--seed", str(seed), "--minutes", MINUTES, "--without", check, "--json"]
    ended = CliRunner().invoke(app, ["chaos", *asked])
    assert ended.exit_code == BROKEN == 3, ended.output
    found = json.loads(ended.stdout)
    assert (found["seed"], found["faults"]) == (seed, 0), "no server but the simulation's"
    assert found["schedules"] >= 1
    assert found["violations"] == len(found["violations_told"]) >= 1


async def test_with_every_check_nothing_is_found() -> None:
    report = await simulate(
        5, SOURCE, seconds=60.0, most=50, stop_at_first=True, told=lambda _: None
    )
    assert (report.schedules, report.violations) == (50, [])
