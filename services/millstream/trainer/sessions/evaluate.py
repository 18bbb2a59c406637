"""`millstream evaluate sessions`: trains from the files and asks for each test row once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from millstream.model.sessions.blend import blend
from millstream.model.sessions.candidates import BLOCK, answers, candidates
from millstream.model.sessions.ragged import Ints
from millstream.trainer.sessions.data import TEST_NAME, TRAIN_NAME, Questions, read_world
from millstream.trainer.sessions.dot_product import DotProduct, fit_dot_product
from millstream.trainer.sessions.fit import FitRule, Fitted, fit
from millstream.trainer.sessions.metrics import candidate_ranks, dense_ranks
from millstream.trainer.sessions.run import Facts, Journal, Ranks, Run, digest
from millstream.trainer.sessions.summary import BLEND, summary
from millstream.trainer.settings import Training
from millstream.trainer.spent import spent

DOT_PRODUCT = "dot_product"
Told = Callable[[str], None]


class Rules(msgspec.Struct, frozen=True):
    """`baseline`: how the dot-product model beside ours is trained, with the first seed only."""

    baseline: Training
    fit: FitRule


def evaluate_sessions(
    directory: Path, seeds: int, rules: Rules, told: Told, journal: Path | None = None
) -> dict[str, Any]:
    """With `journal`, seeds that stand there are not run again. Blocks for many minutes. Raises
    OperatorError for files that are not there."""
    made_from = digest([directory / TRAIN_NAME, directory / TEST_NAME], rules)
    kept = None if journal is None else Journal(journal, made_from)
    runs = []
    for seed in range(seeds):
        run = None if kept is None else kept.read(seed)
        if run is None:
            run = _run(directory, rules, (made_from, seed), told)
            if kept is not None:
                kept.write(run)
        runs.append(run)
    return summary(runs)


def _run(directory: Path, rules: Rules, name: tuple[str, int], told: Told) -> Run:
    made_from, seed = name
    began = time.process_time()
    world = read_world(directory)
    told(f"seed {seed}: {len(world.train)} sessions, {world.items} items, {len(world.test)} rows")
    fitted = fit(world.train, world.items, world.least, rules.fit, seed, told)
    minutes = (time.process_time() - began) / 60
    peak = spent().peak_gib
    told(f"seed {seed}: fitted in {minutes:.1f} CPU minutes")
    baseline = None
    if seed == 0:  # what it gives hardly depends on chance, and it takes minutes
        told("the baseline learns")
        baseline = fit_dot_product(world.train, world.items, rules.baseline)
    ranks = ask(fitted, world.test, rules.fit.blend.depth, baseline)
    return Run(Facts(made_from, seed, minutes, peak, fitted.losses, fitted.curve), ranks)


def ask(fitted: Fitted, test: Questions, depth: int, baseline: DotProduct | None = None) -> Ranks:
    """Each row by itself: nothing is remembered between rows."""
    others = {} if baseline is None else {DOT_PRODUCT: baseline}
    parts: dict[str, list[Ints]] = {name: [] for name in (BLEND, *fitted.sources, *others)}
    for first, block in enumerate(test.sessions.blocks(BLOCK)):
        targets = test.targets[first * BLOCK : first * BLOCK + len(block)]
        answered = answers(fitted.sources, block)
        found = candidates(answered, block, depth)
        parts[BLEND].append(candidate_ranks(found, blend(found, fitted.network), targets))
        for name, scores in {**answered, **answers(others, block)}.items():
            parts[name].append(dense_ranks(scores, targets))
    return {name: np.concatenate(ranks) for name, ranks in parts.items()}
