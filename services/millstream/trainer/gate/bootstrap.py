"""How sure a difference on the same shoppers is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BLOCK = 2_000_000
_TAIL = 0.025


class Paired(NamedTuple):
    """Means over shoppers, and the bounds of ours - theirs."""

    ours: float
    theirs: float
    low: float
    high: float


def paired(
    ours: Mapping[str, float], theirs: Mapping[str, float], resamples: int, seed: int
) -> Paired:
    """By shopper, the same ones in both, at least one. Percentile bootstrap, 95 %: shoppers are
    drawn with replacement, each with both of its values, so what the two have in common (hard
    shoppers) drops out (Efron and Tibshirani 1993, ch. 13). Pure: the seed decides the draws."""
    shoppers = sorted(ours)
    first = np.array([ours[shopper] for shopper in shoppers])
    second = np.array([theirs[shopper] for shopper in shoppers])
    means = _resampled_means(first - second, resamples, np.random.default_rng(seed))
    low, high = np.quantile(means, [_TAIL, 1 - _TAIL])
    return Paired(float(first.mean()), float(second.mean()), float(low), float(high))


def _resampled_means(
    values: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(resamples,), bounded in memory."""
    size, step = len(values), max(1, _BLOCK // len(values))
    blocks = [
        values[rng.integers(size, size=(min(step, resamples - start), size))].mean(axis=1)
        for start in range(0, resamples, step)
    ]
    return np.concatenate(blocks)
