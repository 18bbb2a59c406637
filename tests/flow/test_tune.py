"""The search for settings: its journal, its end, and what it never reads."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from tests.unit.trainer.sessions.made_sessions import made_sessions, questions_of, write_world

from millstream.domain.errors import OperatorError
from millstream.trainer.sessions import tune as tuning
from millstream.trainer.sessions.data import TEST_NAME
from millstream.trainer.sessions.tune import (
    TuneRule,
    ended,
    held_of,
    open_study,
    row,
    search,
    settings_of,
    with_settings,
)

RULE = TuneRule(newest=1.0, held_out=0.2, rows=200, dimensions=8, epochs=1)
CIRCLES = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    train = made_sessions(400, CIRCLES, seed=1)
    test = questions_of(made_sessions(4, CIRCLES, seed=2))
    return write_world(tmp_path_factory.mktemp("made") / "world", train, test)


def test_a_later_call_goes_on_where_a_killed_one_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "AUGMENTED", {"as it is": {}, "masked": {"masked": 0.2}})
    journal, held, told = tmp_path / "journal", held_of(folder, RULE), list[str]()
    study = open_study(folder, journal, RULE)
    search(study, held, 1, told.append)
    killed = study.ask()  # begun, and never told

    study = open_study(folder, journal, RULE)
    search(study, held, 3, told.append)

    assert ended(study) == 3
    assert study.trials[killed.number].state is TrialState.FAIL
    tried = [t.params for t in study.trials if t.state is TrialState.COMPLETE]
    start = settings_of(tuning._start_rule(RULE))
    assert tried[0] == start
    assert 0 < study.best_value <= 3
    assert any("of 3 trials are there" in line for line in told)
    assert open_study(folder, journal, TuneRule(newest=0.5)).trials == []

    before = len(told)
    search(study, held, 3, told.append)
    assert (ended(study), len(told)) == (3, before)


def test_a_row_tells_what_its_settings_reach(folder: Path) -> None:
    held = held_of(folder, RULE)
    changed = {**settings_of(tuning._start_rule(RULE)), "cropped": 0.5, "masked": 0.3}
    found = row("both", changed, held, 1, lambda _: None)
    assert found["settings"]["cropped"] == 0.5
    assert 0 < found["mrr_at_20"] < found["hr_at_20"] <= 1
    assert found["spread_of_worth"] is None  # of one seed


def test_settings_and_rule_say_the_same() -> None:
    start = tuning._start_rule(RULE)
    changed = {**settings_of(start), "rate": 0.5, "dropout": 0.1, "masked": 0.4}
    assert settings_of(with_settings(start, changed)) == changed
    trial = optuna.trial.FixedTrial(settings_of(start))
    assert tuning.suggested(trial) == settings_of(start)  # what is the default can be suggested


def test_the_questions_are_of_the_training_file(folder: Path, tmp_path: Path) -> None:
    found = held_of(folder, RULE)
    (folder / TEST_NAME).rename(tmp_path / TEST_NAME)
    try:
        again = held_of(folder, RULE)
    finally:
        (tmp_path / TEST_NAME).rename(folder / TEST_NAME)
    assert (again.asked.targets == found.asked.targets).all()


def test_too_few_sessions_are_told(tmp_path: Path) -> None:
    folder = write_world(tmp_path / "w", [[1, 2]] * 3, [([1], 2)])
    with pytest.raises(OperatorError, match="to hold out"):
        held_of(folder, TuneRule(newest=0.4, held_out=0.01))
