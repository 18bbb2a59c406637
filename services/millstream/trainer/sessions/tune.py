"""Searches the session encoder's settings on held-out sessions of the training file; the test file
is never read.

One trial is one training on the newest part of the sessions, asked on the last of them. A study
lives in a journal file: a later call goes on where the last one, or a killed one, ended. Trials
whose first epoch is below the median of the others' are cut short. One seed tells little: the best
and the settings as they are, with and without augmentation, are then trained from several."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import BaseTrial, FrozenTrial, Trial, TrialState

from millstream.domain.errors import OperatorError
from millstream.model.sessions.encoder import Encoder
from millstream.model.sessions.session_log import SessionLog
from millstream.trainer.sessions.choose import reached, worth_of
from millstream.trainer.sessions.data import (
    TRAIN_NAME,
    Questions,
    hold_out,
    questions,
    read_training,
    sample,
)
from millstream.trainer.sessions.fit_encoder import EncoderFit, EncoderRule
from millstream.trainer.sessions.network import NetworkRule
from millstream.trainer.sessions.run import digest
from millstream.trainer.sessions.start_vectors import StartRule, start_vectors

Told = Callable[[str], None]
Settings = Mapping[str, float]

_OF_NETWORK = ("dropout", "temperature")
_PATIENT_TRIALS = 5
"""None of the first ones is cut short."""
AUGMENTED: Mapping[str, Settings] = {
    "as it is": {},
    "cropped": {"cropped": 0.3},
    "masked": {"masked": 0.2},
    "cropped and masked": {"cropped": 0.3, "masked": 0.2},
}
"""What is trained before the search begins to choose."""


@dataclass(frozen=True, slots=True)
class TuneRule:
    """`newest`: share of the training sessions; `held_out`: share of their touches that is asked
    about, `rows` questions of them."""

    newest: float = 0.3
    held_out: float = 0.1
    rows: int = 4_000
    dimensions: int = 128
    epochs: int = 3


@dataclass(frozen=True, slots=True)
class Held:
    """What all trials learn from and are asked."""

    before: SessionLog
    items: int
    asked: Questions
    rule: TuneRule


def settings_of(rule: EncoderRule) -> dict[str, float]:
    return {
        "rate": rule.rate,
        "item_rate": rule.item_rate,
        "item_floor": rule.item_floor,
        "negatives": rule.negatives,
        "dropout": rule.network.dropout,
        "temperature": rule.network.temperature,
        "cropped": rule.cropped,
        "masked": rule.masked,
    }


def with_settings(rule: EncoderRule, settings: Settings) -> EncoderRule:
    of_network: dict[str, Any] = {k: v for k, v in settings.items() if k in _OF_NETWORK}
    others: dict[str, Any] = {k: v for k, v in settings.items() if k not in _OF_NETWORK}
    return replace(rule, network=replace(rule.network, **of_network), **others)


def suggested(trial: BaseTrial) -> dict[str, float]:
    return {
        "rate": trial.suggest_float("rate", 5e-4, 8e-3, log=True),
        "item_rate": trial.suggest_float("item_rate", 2.0, 20.0, log=True),
        "item_floor": trial.suggest_float("item_floor", 1e-4, 1e-2, log=True),
        "negatives": trial.suggest_categorical("negatives", (1_024, 2_048, 4_096)),
        "dropout": trial.suggest_float("dropout", 0.1, 0.6),
        "temperature": trial.suggest_float("temperature", 0.04, 0.12, log=True),
        "cropped": trial.suggest_float("cropped", 0.0, 0.6),
        "masked": trial.suggest_float("masked", 0.0, 0.4),
    }


def tune(
    directory: Path, journal: Path, trials: int, seeds: int, rule: TuneRule, told: Told
) -> dict[str, Any]:
    """`trials` in all, those of earlier calls among them. Blocks for minutes. Raises OperatorError
    for files that are missing or damaged, and where there are too few sessions."""
    began = time.monotonic()
    held = held_of(directory, rule)
    study = open_study(directory, journal, rule)
    told(f"{len(held.before):,} sessions, {len(held.asked):,} questions")
    search(study, held, trials, told)
    start = settings_of(_start_rule(rule))
    rows = {name: {**start, **changed} for name, changed in AUGMENTED.items()}
    rows["best found"] = dict(study.best_params)
    return {
        "trials": ended(study),
        "cut_short": _states(study).count(TrialState.PRUNED),
        "sessions": len(held.before),
        "questions": len(held.asked),
        "rule": asdict(rule),
        "importance": {k: round(v, 3) for k, v in _importance(study).items()},
        "rows": [row(name, found, held, seeds, told) for name, found in rows.items()],
        "seeds": seeds,
        "seconds": round(time.monotonic() - began, 1),
    }


def search(study: optuna.Study, held: Held, trials: int, told: Told) -> None:
    """Until so many trials have ended; those that a killed call had under way count for nothing."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    start = _start_rule(held.rule)
    for changed in AUGMENTED.values():
        study.enqueue_trial({**settings_of(start), **changed}, skip_if_exists=True)

    def objective(trial: Trial) -> float:
        found: list[float] = []

        def after_epoch(figures: Mapping[str, float]) -> None:
            found.append(worth_of(figures))
            trial.report(found[-1], len(found))
            if trial.should_prune():
                raise optuna.TrialPruned

        _train(held, with_settings(start, suggested(trial)), 0, after_epoch)
        return found[-1]

    def tell(study: optuna.Study, trial: FrozenTrial) -> None:
        value = "cut short" if trial.state is TrialState.PRUNED else f"{trial.value:.4f}"
        told(f"trial {ended(study)} of {trials}: {value}; best {study.best_value:.4f}")

    if (so_far := ended(study)) < trials:
        told(f"{so_far} of {trials} trials are there")
        study.optimize(objective, n_trials=trials - so_far, callbacks=[tell])


def _train(
    held: Held, rule: EncoderRule, seed: int, after_epoch: Callable[[Mapping[str, float]], None]
) -> None:
    rng = np.random.default_rng(seed)
    start = start_vectors(held.before, held.items, held.rule.dimensions, rng, StartRule())
    fitting = EncoderFit(start, rule, seed)
    fitting.run(
        held.before,
        rule.epochs,
        rule.rate,
        lambda _: after_epoch(reached(Encoder(fitting.arrays()), held.asked)),
    )


def row(name: str, settings: Settings, held: Held, seeds: int, told: Told) -> dict[str, Any]:
    """Means over the seeds, which are none of the search."""
    rule, ends = with_settings(_start_rule(held.rule), settings), []
    for seed in range(1, seeds + 1):
        epochs: list[Mapping[str, float]] = []
        _train(held, rule, seed, epochs.append)
        ends.append(epochs[-1])
        told(f"{name}, seed {seed}: {ends[-1]['hr_at_20']:.4f} / {ends[-1]['mrr_at_20']:.4f}")
    rounded = {k: round(v, 5) for k, v in settings.items()}
    means = {k: round(float(np.mean([e[k] for e in ends])), 4) for k in ("hr_at_20", "mrr_at_20")}
    spread = round(float(np.std([worth_of(e) for e in ends], ddof=1)), 4) if seeds > 1 else None
    return {"name": name, **means, "spread_of_worth": spread, "settings": rounded}


def held_of(directory: Path, rule: TuneRule) -> Held:
    items, train, least = read_training(directory)
    first = len(train) - round(rule.newest * len(train))
    before, after = hold_out(train.take(np.arange(first, len(train))), rule.held_out)
    asked = questions(after, least)
    if not len(asked):
        raise OperatorError("the data folder", f"{len(train)} sessions", "some to hold out")
    return Held(before, items, sample(asked, rule.rows, np.random.default_rng(0)), rule)


def _start_rule(rule: TuneRule) -> EncoderRule:
    return EncoderRule(NetworkRule(dimensions=rule.dimensions), rule.epochs)


def open_study(directory: Path, journal: Path, rule: TuneRule) -> optuna.Study:
    """Of these data and this rule; others may stand in the same journal."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made_from = digest([directory / TRAIN_NAME], rule)[:12]
    backend = JournalFileBackend(str(journal))
    return optuna.create_study(
        storage=optuna.storages.JournalStorage(backend),
        study_name=f"encoder-{made_from}",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(_PATIENT_TRIALS),
        load_if_exists=True,
    )


def _states(study: optuna.Study) -> list[TrialState]:
    return [trial.state for trial in study.get_trials(deepcopy=False)]


def ended(study: optuna.Study) -> int:
    states = _states(study)
    return states.count(TrialState.COMPLETE) + states.count(TrialState.PRUNED)


def _importance(study: optuna.Study) -> Mapping[str, float]:
    """Of each setting for what came of it (fANOVA); empty while there are too few trials."""
    if _states(study).count(TrialState.COMPLETE) < _PATIENT_TRIALS:
        return {}
    return optuna.importance.get_param_importances(study)
