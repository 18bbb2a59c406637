"""Where the wanted items stand among the whole catalogue, and what follows from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.candidates import Candidates
from millstream.model.sessions.ragged import Ints
from millstream.trainer.sessions.data import UNKNOWN

NOWHERE = np.iinfo(np.int64).max
"""The rank of an item without a score."""


def dense_ranks(scores: FloatArray, targets: Ints) -> Ints:
    """(n,): 1 for the best of the (n, items) scores. Ties count against us: every other item with
    an equal score stands in front. An item with the score 0 has not been ranked at all."""
    known = targets != UNKNOWN
    own = scores[np.arange(len(targets)), np.where(known, targets, 0)]
    ahead = (scores >= own[:, None]).sum(axis=1)
    return np.where(known & (own > 0), ahead, NOWHERE).astype(np.int64)


def candidate_ranks(found: Candidates, scores: FloatArray, targets: Ints) -> Ints:
    """The same for (m,) scores of candidates; an item that is no candidate stands NOWHERE."""
    wanted = found.item == targets[found.session]
    own = np.full(len(targets), np.inf)
    own[found.session[wanted]] = scores[wanted]
    ahead = np.bincount(found.session[scores >= own[found.session]], minlength=len(targets))
    return np.where(np.isfinite(own), ahead, NOWHERE).astype(np.int64)


def figures(ranks: Ints) -> dict[str, float]:
    """Means over the rows, from 0 to 1."""
    return {
        f"{name}_at_{k}": float(values.mean()) if len(ranks) else 0.0
        for k in (10, 20)
        for name, values in (("hr", hits(ranks, k)), ("mrr", reciprocals(ranks, k)))
    }


def hits(ranks: Ints, k: int) -> NDArray[np.float64]:
    return (ranks <= k).astype(np.float64)


def reciprocals(ranks: Ints, k: int) -> NDArray[np.float64]:
    return np.where(ranks <= k, 1.0 / ranks, 0.0)


def paired_interval(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], rng: np.random.Generator
) -> tuple[float, float]:
    """The 95 % interval of the mean difference over the rows, by 1,000 bootstrap draws."""
    difference = ours - theirs
    # Rows drawn with replacement: how often each row came is multinomial.
    chances = np.full(len(difference), 1.0 / len(difference))
    means = [
        float(rng.multinomial(len(difference), chances) @ difference) / len(difference)
        for _ in range(1_000)
    ]
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)
