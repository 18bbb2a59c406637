"""The trials of `millstream verify experiments`, a few runs of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from millstream.experiments import report
from millstream.experiments.confidence import fixed
from millstream.local.experiment_trials import Trials, hold_trials


def held() -> Trials:
    return hold_trials(Console(quiet=True), 12, 3, np.random.default_rng(1), 1.0)


def test_few_runs_hold_what_is_promised_of_many() -> None:
    found = held()
    assert found.naive_false_positive_rate > 0.1
    assert found.failures() == []
    assert replace(found, aa_false_positive_rate=0.9).failures() == [
        "more A/A runs than promised told a difference"
    ]


def test_intervals_that_do_not_hold_at_every_look_are_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(report, "always_valid", lambda estimate, _alpha, _width: fixed(estimate))
    assert "more A/A runs than promised told a difference" in held().failures()
