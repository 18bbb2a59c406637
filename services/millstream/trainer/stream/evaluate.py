"""`millstream evaluate stream`: the whole of one recording, and what is told of it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import numpy as np

from millstream.trainer.fitting import Fit
from millstream.trainer.stream.components import Shares
from millstream.trainer.stream.ours import follow
from millstream.trainer.stream.parts import Parts, parts_of
from millstream.trainer.stream.prepared import OursRule
from millstream.trainer.stream.replay import CADENCES, STATIC
from millstream.trainer.stream.rows import Recording, Row
from millstream.trainer.stream.scores import Scores, interval, mean_of
from millstream.trainer.stream.theirs import theirs

Told = Callable[[str], None]
WINDOWS = 24
"""Stretches of equally many questions that quality is told of over time."""


@dataclass(frozen=True, slots=True)
class Run:
    seed: int
    scores: dict[str, Scores]
    components: dict[str, Shares]
    chosen: dict[str, Any]


def evaluate_stream(
    recording: Recording, seeds: int, rule: OursRule, fit: Fit, told: Told
) -> dict[str, Any]:
    """Blocks for many minutes. Shares are from 0 to 1."""
    parts = parts_of(recording)
    gc.freeze()  # a million rows that stay: looked through time and again they cost minutes
    asked = parts.asked(parts.test)
    told(f"{recording.name}: {len(recording.events)} events, {len(asked)} questions")
    runs = [_run(parts, _seeded(rule, seed), fit, told) for seed in range(seeds)]
    scores = {name: mean_of([run.scores[name] for run in runs]) for name in runs[0].scores}
    return {
        "rows": [_row(name, each, asked) for name, each in scores.items()],
        **_gain(scores),
        "components": _components(runs),
        "data": recording.name,
        "notes": list(recording.notes),
        "events": len(recording.events),
        "questions": len(asked),
        "learnt": round(recording.split / len(recording.events), 4),
        "items": parts.items,
        "split": _time(parts.test[0].time_ms),
        "over_time": _over_time(scores, asked),
        "seeds": [_told_seed(run) for run in runs],
    }


def _seeded(rule: OursRule, seed: int) -> OursRule:
    taste, by_seed = rule.taste, partial(msgspec.structs.replace, seed=seed)
    encoder = taste.encoder and by_seed(taste.encoder)
    return replace(rule, taste=replace(taste, training=by_seed(taste.training), encoder=encoder))


def _run(parts: Parts, rule: OursRule, fit: Fit, told: Told) -> Run:
    seed = rule.taste.training.seed
    baselines, settings = theirs(parts, seed, told)
    ours = follow(parts, rule, fit, told)
    chosen = {**ours.chosen, "baselines": settings}
    return Run(seed, {**baselines, **ours.scores}, dict(ours.components), chosen)


def _row(name: str, scores: Scores, asked: Sequence[Row]) -> dict[str, Any]:
    kinds = np.array([str(row.event.type) for row in asked])
    by_type = {
        str(kind): {"questions": int((kinds == kind).sum()), **scores.of(kinds == kind).means()}
        for kind in np.unique(kinds)
    }
    return {"name": name, **scores.means(), "by_type": by_type}


def _gain(scores: dict[str, Scores]) -> dict[str, Any]:
    """From static to the best cadence, with a 95 % interval."""
    updated = [cadence.name for cadence in CADENCES if cadence != STATIC]
    best = max(updated, key=lambda name: scores[name].recall.mean())
    difference = scores[best].recall - scores[STATIC.name].recall
    low, high = interval(difference, np.random.default_rng(0))
    return {
        "freshness_gain": float(difference.mean()),
        "freshness_gain_interval": [low, high],
        "freshest": best,
    }


def _components(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    return {
        name: {
            key: float(np.mean([run.components[name].told()[key] for run in runs])) for key in told
        }
        for name, told in ((name, share.told()) for name, share in runs[0].components.items())
    }


def _over_time(scores: dict[str, Scores], asked: Sequence[Row]) -> dict[str, Any]:
    """recall@20 of stretches of equally many questions, each by the time of its middle one."""
    windows = np.array_split(np.arange(len(asked)), min(WINDOWS, len(asked)))
    return {
        "times": [_time(asked[int(window[len(window) // 2])].time_ms) for window in windows],
        "recall_at_20": {
            name: [round(float(each.recall[window].mean()), 4) for window in windows]
            for name, each in scores.items()
        },
    }


def _told_seed(run: Run) -> dict[str, Any]:
    figures = {name: scores.means() for name, scores in run.scores.items()}
    return {"seed": run.seed, "rows": figures, "chosen": run.chosen}


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()
