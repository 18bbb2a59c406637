"""The blend of a version, learnt from questions that the model has not seen: of the candidates of
each question the wanted ones are to have the greatest share of e ** score (a multinomial logit,
convex in the weights; McFadden, Conditional logit analysis, 1974)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from millstream.domain.lists import Source
from millstream.model.blend import Blend, Calibration, raised
from millstream.ranking.batch import KINDS, Batch
from millstream.ranking.candidates.source import Candidates
from millstream.ranking.sums import sum_by_pair

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_DOUBLINGS = (-3, 0)
_OF_REPEATS = (4, 6)
"""Their strengths fall by a hundredth a place: so by a seventh, and by half."""
LEARNT: dict[Source, tuple[int, tuple[int, ...]]] = {
    Source.REPEAT: (KINDS, _OF_REPEATS),
    Source.COVISITED: (1, _DOUBLINGS),
    Source.EMBEDDING: (1, _DOUBLINGS),
    Source.POPULAR: (1, _DOUBLINGS),
    Source.NEW: (1, _DOUBLINGS),
}
"""How many kinds of candidate each has, and the powers of its strengths."""
LEAST = 100
"""Questions with an answer: of fewer nothing is learnt."""
RIDGE = 3.0
_MOST_STEPS = 100


@dataclass(frozen=True, slots=True)
class Examples:
    """(m, f) what is known of each candidate, a column for each weight to be learnt; (m,) the
    question it is for, from 0 and without a gap, and its part of what the question wants."""

    features: Floats
    questions: Ints
    wanted: Floats

    def __len__(self) -> int:
        """Questions."""
        return int(self.questions[-1]) + 1 if len(self.questions) else 0


def examples(
    proposed: Sequence[tuple[Source, Candidates]],
    batch: Batch,
    wanted: Sequence[Sequence[str] | frozenset[str]],
) -> Examples:
    """Of the questions for which anything that is wanted was proposed: the others teach nothing.
    `wanted`: of each shopper in the batch."""
    proposed = [(source, told) for source, told in proposed if source in LEARNT]
    shoppers = np.concatenate([told.shoppers for _, told in proposed])
    items = np.concatenate([told.items for _, told in proposed])
    owners = np.repeat(np.arange(len(batch)), [len(each) for each in wanted])
    codes = batch.table.of(item for each in wanted for item in each)
    in_all = len(batch.table)
    sums = sum_by_pair(shoppers, items, np.ones(len(items)), in_all)
    features = np.zeros((len(sums.items), WEIGHTS))
    start = 0
    for source, told in proposed:
        pairs = sums.which[start : start + len(told.items)]
        start += len(told.items)
        for column, values in _columns(source, told):
            features[pairs, column] = values
    hits = np.isin(sums.shoppers * in_all + sums.items, owners * in_all + codes)
    found = np.bincount(sums.shoppers, hits, minlength=len(batch))
    kept, numbers = (found > 0)[sums.shoppers], np.cumsum(found > 0) - 1
    return Examples(
        features[kept],
        numbers[sums.shoppers[kept]],
        hits[kept] / found[sums.shoppers[kept]],
    )


def joined(parts: Sequence[Examples]) -> Examples:
    """Of questions one after the other."""
    starts = np.cumsum([0, *(len(part) for part in parts)])
    return Examples(
        np.concatenate([np.zeros((0, WEIGHTS)), *(part.features for part in parts)]),
        np.concatenate(
            [np.zeros(0, np.int64), *(p.questions + s for p, s in zip(parts, starts, strict=False))]
        ),
        np.concatenate([np.zeros(0), *(part.wanted for part in parts)]),
    )


def fit_blend(told: Examples) -> Blend | None:
    """None where too few questions have anything that they want among their candidates."""
    if len(told) < LEAST:
        return None
    # Serving reads six decimals: what is measured here is what the manifest holds.
    return _blend(np.round(_fitted(told), 6))


def _fitted(told: Examples) -> Floats:
    """(f,) not negative."""
    starts = np.flatnonzero(np.diff(told.questions, prepend=-1))
    gained = told.features.T @ told.wanted

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = told.features @ weights
        best = np.maximum.reduceat(scores, starts)
        shares = np.exp(scores - best[told.questions])
        sums = np.add.reduceat(shares, starts)
        shares /= sums[told.questions]
        value = (np.log(sums) + best).sum() - gained @ weights + 0.5 * RIDGE * weights @ weights
        return float(value), told.features.T @ shares - gained + RIDGE * weights

    found = minimize(
        loss,
        np.zeros(WEIGHTS),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1000.0)] * WEIGHTS,
        options={"maxiter": _MOST_STEPS},
    )
    return np.asarray(found.x, dtype=np.float64)


WEIGHTS = sum(kinds * (1 + len(doublings)) for kinds, doublings in LEARNT.values())


def _columns(source: Source, told: Candidates) -> list[tuple[Ints, Floats]]:
    """Columns (m,) and their values (m,), one pair for each weight of a kind."""
    first, width = _place(source), 1 + len(LEARNT[source][1])
    kinds = np.zeros(len(told.items), dtype=np.int64) if told.kinds is None else told.kinds
    powers = [raised(told.strengths, doublings) for doublings in LEARNT[source][1]]
    values = [np.ones(len(told.items)), *powers]
    return [(first + kinds * width + column, value) for column, value in enumerate(values)]


def _place(source: Source) -> int:
    first = 0
    for each, (kinds, doublings) in LEARNT.items():
        if each is source:
            break
        first += kinds * (1 + len(doublings))
    return first


def _blend(learnt: Floats) -> Blend:
    """`learnt`: (f,)."""
    sources = {}
    for source, (kinds, doublings) in LEARNT.items():
        first, width = _place(source), 1 + len(doublings)
        lines = learnt[first : first + kinds * width].reshape(kinds, width).tolist()
        sources[source] = Calibration(doublings, tuple(tuple(line) for line in lines))
    return Blend(sources)
