"""The trials of `millstream verify gate`, with a factorisation in place of the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from millstream.domain.models import Decision
from millstream.local.gate_trials import Trial, World, hold_trials, online_retail_world, summed_up
from millstream.model.judgement import Judgement
from millstream.trainer.encode import Interactions
from millstream.trainer.fitting import Fit, Fitted
from millstream.trainer.settings import TrainerSettings, Training


@pytest.fixture(scope="module")
def world() -> World:
    return online_retail_world(TrainerSettings.model_construct())


@pytest.fixture
def factorise() -> Fit:
    """The strongest directions of users x items by subspace iteration; a seed moves them a bit,
    as it moves a network."""

    def fit(
        data: Interactions, rule: Training, stop: Callable[[], bool], log_dir: Path | None
    ) -> Fitted:
        rng = np.random.default_rng(rule.seed)
        table = np.zeros((len(data.users), len(data.items)), dtype=np.float32)
        table[data.user_rows, data.item_rows] = np.log1p(data.weights)
        basis = rng.normal(size=(len(data.items), 16)).astype(np.float32)
        for _ in range(4):
            basis = np.linalg.qr(table.T @ (table @ basis))[0]
        return Fitted(table @ basis, basis, 1.0, 0.0, (0.0,))

    return fit


def test_the_verdicts_are_the_known_ones(world: World, factorise: Fit) -> None:
    trials = hold_trials(world, factorise, Console(quiet=True))
    told = {trial.name: trial.judgement.verdict for trial in trials}
    assert summed_up(trials, 9).misjudged == (), told
    learnt_until_ms = int(world.before["time_ms"].to_numpy().max())
    assert min(query.at_ms for query in world.exam.queries) > learnt_until_ms


def test_a_wrong_verdict_is_named() -> None:
    held = Judgement(Decision.HELD, "v1", ("so it is",))
    trials = [Trial("random", Decision.REFUSED, held), Trial("equal", Decision.HELD, held)]
    found = summed_up(trials, 9)
    assert (found.refused, found.held, found.promoted) == (0, 2, 0)
    assert found.failures() == ["the verdict on random is wrong"]
