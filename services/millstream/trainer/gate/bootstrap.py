"""How sure a figure, or a difference on the same shoppers, is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BLOCK = 2_000_000
_TAIL = 0.025

Values = NDArray[np.float64]


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
    sums = resampled_sums((first - second)[:, None], resamples, seed)
    [low], [high] = bounds(sums / len(shoppers))
    return Paired(float(first.mean()), float(second.mean()), float(low), float(high))


def mean_bounds(
    values: Values, owners: Sequence[str], resamples: int, seed: int
) -> tuple[Values, Values]:
    """(m,) and (m,): the 95 % bounds of the means of (n, m) values, n at least 1. An owner of rows
    is drawn with all of them: what one shopper does on two visits is not two shoppers' word."""
    _, rows = np.unique(np.array(owners), return_inverse=True)
    table = np.zeros((int(rows.max()) + 1, values.shape[1] + 1))
    np.add.at(table, rows, np.column_stack([values, np.ones(len(values))]))
    sums = resampled_sums(table, resamples, seed)
    return bounds(sums[:, :-1] / sums[:, -1:])


def resampled_sums(table: Values, resamples: int, seed: int) -> Values:
    """(resamples, m): the sums of n rows that are drawn with replacement from (n, m); bounded in
    memory."""
    rng, size = np.random.default_rng(seed), len(table)
    step = max(1, _BLOCK // size)
    blocks = [
        _often_drawn(rng, min(step, resamples - start), size) @ table
        for start in range(0, resamples, step)
    ]
    return np.concatenate(blocks)


def _often_drawn(rng: np.random.Generator, draws: int, size: int) -> Values:
    """(draws, size): how often each row is in each draw of as many."""
    drawn = rng.integers(size, size=(draws, size)) + size * np.arange(draws)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=draws * size)
    return counts.reshape(draws, size).astype(np.float64)


def bounds(drawn: Values) -> tuple[Values, Values]:
    """(m,) and (m,): of (resamples, m), by percentiles."""
    low, high = np.quantile(drawn, [_TAIL, 1 - _TAIL], axis=0)
    return low, high
