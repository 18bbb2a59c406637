"""`millstream evaluate sessions`: trains from the files and asks for each test row once."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from millstream.model.sessions.blend import blend
from millstream.model.sessions.candidates import BLOCK, answers, candidates
from millstream.model.sessions.ragged import Ints
from millstream.trainer.sessions.data import Questions, read_world
from millstream.trainer.sessions.fit import FitRule, Fitted, fit
from millstream.trainer.sessions.metrics import (
    candidate_ranks,
    dense_ranks,
    figures,
    hits,
    paired_interval,
    reciprocals,
)

BLEND = "blend"
Ranks = dict[str, Ints]
"""By part, and of the blend: (test rows,)."""


@dataclass(frozen=True, slots=True)
class Run:
    seed: int
    ranks: Ranks
    cpu_minutes: float
    """From files to fitted sources, all threads; scoring the test is not in it."""
    losses: tuple[float, ...]


def evaluate_sessions(
    directory: Path, seeds: int, told: Callable[[str], None], rule: FitRule | None = None
) -> dict[str, Any]:
    """Blocks for many minutes. Raises OperatorError for files that are not there."""
    runs = [_run(directory, rule or FitRule(), seed, told) for seed in range(seeds)]
    return {**_summary(runs), "peak_gib": round(_peak_gib(), 3)}


def _run(directory: Path, rule: FitRule, seed: int, told: Callable[[str], None]) -> Run:
    began = time.process_time()
    world = read_world(directory)
    told(f"seed {seed}: {len(world.train)} sessions, {world.items} items, {len(world.test)} rows")
    fitted = fit(world.train, world.items, world.least, rule, seed, told)
    minutes = (time.process_time() - began) / 60
    told(f"seed {seed}: fitted in {minutes:.1f} CPU minutes; asking")
    return Run(seed, ask(fitted, world.test, rule.blend.depth), minutes, fitted.losses)


def ask(fitted: Fitted, test: Questions, depth: int) -> Ranks:
    """Each row by itself: nothing is remembered between rows."""
    parts: dict[str, list[Ints]] = {name: [] for name in (BLEND, *fitted.sources)}
    for first, block in enumerate(test.sessions.blocks(BLOCK)):
        targets = test.targets[first * BLOCK : first * BLOCK + len(block)]
        answered = answers(fitted.sources, block)
        found = candidates(answered, block, depth)
        parts[BLEND].append(candidate_ranks(found, blend(found, fitted.weights), targets))
        for name, scores in answered.items():
            parts[name].append(dense_ranks(scores, targets))
    return {name: np.concatenate(ranks) for name, ranks in parts.items()}


def _summary(runs: list[Run]) -> dict[str, Any]:
    """Means over the seeds, each seed's own figures, and the blend against the best part."""
    named = [name for name in runs[0].ranks if name != BLEND]
    parts = {name: _means(runs, name) for name in named}
    best = max(parts, key=lambda name: parts[name]["hr_at_20"])
    return {
        **_means(runs, BLEND),
        "test_rows": len(runs[0].ranks[BLEND]),
        "train_cpu_minutes": round(float(np.mean([run.cpu_minutes for run in runs])), 2),
        "parts": parts,
        "seeds": [
            {
                "seed": run.seed,
                **figures(run.ranks[BLEND]),
                "train_cpu_minutes": round(run.cpu_minutes, 2),
                "encoder_losses": [round(loss, 4) for loss in run.losses],
            }
            for run in runs
        ],
        "spread": _spread(runs),
        "best_part": best,
        "gain_on_best_part": _gain(runs[0].ranks, best),
    }


def _means(runs: list[Run], name: str) -> dict[str, float]:
    each = [figures(run.ranks[name]) for run in runs]
    return {key: float(np.mean([found[key] for found in each])) for key in each[0]}


def _spread(runs: list[Run]) -> dict[str, float]:
    """The greatest less the least of the seeds' figures."""
    each = [figures(run.ranks[BLEND]) for run in runs]
    return {key: float(np.ptp([found[key] for found in each])) for key in each[0]}


def _gain(ranks: Ranks, best: str) -> dict[str, list[float]]:
    """95 % intervals of the blend's difference to the best part, paired by row, first seed."""
    rng = np.random.default_rng(0)
    ours, theirs = ranks[BLEND], ranks[best]
    return {
        "hr_at_20": list(paired_interval(hits(ours, 20), hits(theirs, 20), rng)),
        "mrr_at_20": list(paired_interval(reciprocals(ours, 20), reciprocals(theirs, 20), rng)),
    }


def _peak_gib() -> float:
    """The most memory that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**3
