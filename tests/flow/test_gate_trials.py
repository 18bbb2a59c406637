"""The trials of `millstream verify gate`, with a factorisation in place of the network."""

from __future__ import annotations

import pytest
from rich.console import Console
from tests.factorised import factorise

from millstream.domain.models import Decision
from millstream.local.gate_trials import Trial, World, hold_trials, online_retail_world, summed_up
from millstream.model.judgement import Judgement
from millstream.trainer.settings import TrainerSettings


@pytest.fixture(scope="module")
def world() -> World:
    return online_retail_world(TrainerSettings.model_construct())


def test_the_verdicts_are_the_known_ones(world: World) -> None:
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
