"""From the places of the wanted items to figures: recall and reciprocal rank of each question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
K = 20
NOWHERE = np.iinfo(np.int64).max
"""The rank of an item without a score."""


class Scores(NamedTuple):
    """(n,) each, from 0 to 1: the share of what a question wants that stands in the first K, and
    1 / place of the first hit among them."""

    recall: Floats
    mrr: Floats

    def means(self) -> dict[str, float]:
        """0 where nothing was asked."""
        if len(self.recall) == 0:
            return {f"recall_at_{K}": 0.0, f"mrr_at_{K}": 0.0}
        return {f"recall_at_{K}": float(self.recall.mean()), f"mrr_at_{K}": float(self.mrr.mean())}

    def of(self, chosen: NDArray[np.bool_]) -> Scores:
        return Scores(self.recall[chosen], self.mrr[chosen])


def scores_of(ranks: Ints, questions: Ints, count: int) -> Scores:
    """`ranks` (w,) of the wanted items, from 1; `questions` (w,) whose they are; `count` in all,
    each of which wants something."""
    wanted = np.bincount(questions, minlength=count)
    hits = np.bincount(questions, ranks <= K, minlength=count)
    first = np.full(count, NOWHERE, dtype=np.int64)
    np.minimum.at(first, questions, ranks)
    return Scores(hits / wanted, np.where(first <= K, 1.0 / first, 0.0))


def mean_of(runs: Sequence[Scores]) -> Scores:
    """Question by question, over several seeds."""
    return Scores(*(np.mean(column, axis=0) for column in zip(*runs, strict=True)))


def interval(difference: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """95 % interval of the mean of question-by-question differences, by 1,000 bootstrap draws of
    whole stretches of time: neighbouring questions are not independent."""
    blocks = [part.mean() for part in np.array_split(difference, min(200, len(difference)))]
    drawn = rng.choice(np.array(blocks), size=(1_000, len(blocks)))
    low, high = np.percentile(drawn.mean(axis=1), (2.5, 97.5))
    return float(low), float(high)


def worth(scores: Scores) -> float:
    """What settings are chosen by, on questions before the split: recall, and half as much of
    where the first hit stands."""
    means = scores.means()
    return means[f"recall_at_{K}"] + 0.5 * means[f"mrr_at_{K}"]
