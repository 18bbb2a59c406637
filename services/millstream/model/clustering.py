"""K-means over item vectors, Lloyd's rounds on a sample: the lists of an item index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import FloatArray

Nearest = NDArray[np.int32]

_SAMPLE = 40
"""Vectors looked at per centre while the centres move."""
_ROUNDS = 6
_BLOCK_DISTANCES = 4_000_000


def fit_centres(vectors: FloatArray, count: int, seed: int) -> FloatArray:
    """(count, d) centres of Euclidean k-means. The same vectors and seed give the same centres on
    one machine. Blocks for seconds. Raises ValueError for fewer vectors than centres.

    A centre that no vector of the sample is nearest to stays where it is."""
    rng = np.random.default_rng(seed)
    size = min(len(vectors), count * _SAMPLE)
    sample = vectors[np.sort(rng.choice(len(vectors), size, replace=False))]
    centres = sample[rng.choice(size, count, replace=False)]
    for _ in range(_ROUNDS):
        nearest = nearest_centres(sample, centres)
        order = np.argsort(nearest, kind="stable")
        found, firsts, sizes = np.unique(nearest[order], return_index=True, return_counts=True)
        centres[found] = np.add.reduceat(sample[order], firsts, axis=0) / sizes[:, None]
    return np.ascontiguousarray(centres, dtype=np.float32)


def nearest_centres(vectors: FloatArray, centres: FloatArray) -> Nearest:
    """(n,) the row of the centre nearest to each vector."""
    nearest = np.empty(len(vectors), dtype=np.int32)
    # |x - c|² less |x|², which is the same for all centres, halved and negated
    offset = 0.5 * np.einsum("cd,cd->c", centres, centres)
    step = max(1, _BLOCK_DISTANCES // len(centres))
    for start in range(0, len(vectors), step):
        closeness = vectors[start : start + step] @ centres.T
        closeness -= offset
        nearest[start : start + step] = closeness.argmax(axis=1)
    return nearest
