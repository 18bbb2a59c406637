"""Lists of different lengths, laid end to end: arithmetic without a loop over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def places(starts: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """For n lists that begin at `starts`: where each of their elements lies, list after list, and
    which of the n lists it belongs to; both (sum of lengths,)."""
    owners = np.repeat(np.arange(len(lengths)), lengths)
    before = np.cumsum(lengths) - lengths
    return np.arange(len(owners)) - np.repeat(before - starts, lengths), owners


def heads(keys: NDArray[np.int64]) -> Ints:
    """Where each run of equal keys begins in sorted `keys`."""
    if len(keys) == 0:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))


def summed(keys: Ints, weights: Floats) -> tuple[Ints, Floats]:
    """The distinct keys, ascending, and the sum of each one's weights."""
    if len(keys) == 0:
        return keys, weights
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = heads(ordered)
    return ordered[first], np.add.reduceat(weights[order], first)
