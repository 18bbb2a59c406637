"""What is told of the runs of all seeds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from millstream.trainer.sessions.metrics import figures, hits, paired_interval, reciprocals
from millstream.trainer.sessions.run import Ranks, Run

BLEND = "blend"


def summary(runs: list[Run]) -> dict[str, Any]:
    """Means over the seeds (a part that only some have: over those), each seed's own figures, and
    the blend against the best part."""
    named = [name for name in runs[0].ranks if name != BLEND]
    parts = {name: _means(runs, name) for name in named}
    best = max(parts, key=lambda name: parts[name]["hr_at_20"])
    return {
        **_means(runs, BLEND),
        "test_rows": len(runs[0].ranks[BLEND]),
        "train_cpu_minutes": round(float(np.mean([run.facts.cpu_minutes for run in runs])), 2),
        "peak_gib": round(max(run.facts.peak_gib for run in runs), 3),
        "parts": parts,
        "seeds": [_seed(run) for run in runs],
        "spread": _spread(runs),
        "best_part": best,
        "gain_on_best_part": _gain(runs[0].ranks, best),
    }


def _seed(run: Run) -> dict[str, Any]:
    facts = run.facts
    return {
        "seed": facts.seed,
        **figures(run.ranks[BLEND]),
        "train_cpu_minutes": round(facts.cpu_minutes, 2),
        "encoder_losses": [round(loss, 4) for loss in facts.losses],
        "encoder_held_out": [
            {key: round(value, 4) for key, value in asdict(point).items()} for point in facts.curve
        ],
    }


def _means(runs: list[Run], name: str) -> dict[str, float]:
    each = [figures(run.ranks[name]) for run in runs if name in run.ranks]
    return {key: float(np.mean([found[key] for found in each])) for key in each[0]}


def _spread(runs: list[Run]) -> dict[str, float]:
    """The greatest less the least of the seeds' figures."""
    each = [figures(run.ranks[BLEND]) for run in runs]
    return {key: float(np.ptp([found[key] for found in each])) for key in each[0]}


def _gain(ranks: Ranks, best: str) -> dict[str, list[float]]:
    """95 % intervals of the blend's difference to the part `best`, paired by row, first seed."""
    rng = np.random.default_rng(0)
    ours, theirs = ranks[BLEND], ranks[best]
    return {
        f"{name}_at_{k}": list(paired_interval(value(ours, k), value(theirs, k), rng))
        for k in (10, 20)
        for name, value in (("hr", hits), ("mrr", reciprocals))
    }
