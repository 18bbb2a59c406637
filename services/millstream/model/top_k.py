"""The k greatest of each row, several times cheaper than a partition of all of it."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import FloatArray

Columns = NDArray[np.int64]

_STEP = 40
"""Every so-manieth score is looked at to find a cut that few scores pass."""
_CUT_EXACTLY = 1_024
"""Rows so short are partitioned for their cut: a sample of them would say nothing."""
_ROOM = 8
"""A row whose cut lets pass so many times more than expected is full of equal scores."""


def top_k(scores: FloatArray, k: int) -> Columns:
    """(n, k) columns of an (n, width) block, the greatest score first, of equal scores the lower
    column; exact whatever the scores. NaN counts as the least. Raises ValueError if k > width.

    A cut is taken, of long rows from a sample, and what passes it is sorted. Where a sample misled
    (fewer than k pass, or far too many) the row is looked at by itself."""
    if k > scores.shape[1]:
        raise ValueError(f"{k} of {scores.shape[1]} scores")
    if k == 0 or len(scores) == 0:
        return np.zeros((len(scores), k), dtype=np.int64)
    step = 1 if scores.shape[1] <= _CUT_EXACTLY or scores.shape[1] < 4 * k else _STEP
    # k / step of them are expected above the k-th; with 4.5 deviations more, fewer than k scores
    # pass about once in a thousand rows.
    expected = k / step
    spare = 4.5 * sqrt(expected) if step > 1 else 0.0
    sampled = min(ceil(expected + spare), scores.shape[1] // step)
    passed, bounds = _passing(scores, step, sampled)
    counts = np.diff(bounds)
    sound = (counts >= k) & (counts <= _ROOM * sampled * step)
    best = np.empty((len(scores), k), dtype=np.int64)
    best[sound] = _sorted(scores, passed, bounds, sound)[:, :k]
    for row in np.flatnonzero(~sound):
        best[row] = _partitioned(scores[row], k)
    return best


def _passing(scores: FloatArray, step: int, sampled: int) -> tuple[Columns, Columns]:
    """Flat places of the scores that reach their row's cut, which is the `sampled`-th of every
    `step`-th of them, and where each row's begin."""
    width = scores.shape[1]
    sample = scores[:, ::step]
    place = sample.shape[1] - sampled
    cut = np.partition(sample, place, axis=1)[:, place]
    passed = np.flatnonzero(scores >= cut[:, None])
    return passed, np.searchsorted(passed, np.arange(len(scores) + 1) * width)


def _sorted(
    scores: FloatArray, passed: Columns, bounds: Columns, rows: NDArray[np.bool_]
) -> Columns:
    """What passed in each of `rows`, the greatest first, as columns; padded to one length."""
    starts, counts = bounds[:-1][rows], np.diff(bounds)[rows]
    if len(starts) == 0:
        return np.zeros((0, scores.shape[1]), dtype=np.int64)
    # Padded places repeat the row's last: they stay behind it, at minus infinity.
    steps = np.arange(counts.max())
    flat = passed[starts[:, None] + np.minimum(steps, counts[:, None] - 1)]
    keys = np.where(steps < counts[:, None], -scores.ravel()[flat], np.inf)
    order = np.argsort(keys, axis=1, kind="stable")
    columns: Columns = np.take_along_axis(flat, order, axis=1) % scores.shape[1]
    return columns


def _partitioned(line: FloatArray, k: int) -> Columns:
    line = np.where(np.isnan(line), -np.inf, line)
    least = np.partition(line, len(line) - k)[len(line) - k]
    columns = np.flatnonzero(line >= least)
    return columns[np.argsort(-line[columns], kind="stable")][:k]
