"""A log-linear blend: sum of weight * feature, with weights of their own for short and long
sessions, over the candidates of all sources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.candidates import Candidates
from millstream.model.sessions.ragged import Ints

LENGTH_BOUNDS = (1, 2, 4, 9)
"""Greatest lengths of all buckets but the last."""


@dataclass(frozen=True, slots=True)
class BlendWeights:
    """`features` (f,) names; `weights` (len(LENGTH_BOUNDS) + 1, f) by bucket of length."""

    features: tuple[str, ...]
    weights: FloatArray


def buckets(lengths: Ints) -> Ints:
    return np.searchsorted(LENGTH_BOUNDS, lengths, side="left").astype(np.int64)


def blend(found: Candidates, blended: BlendWeights) -> FloatArray:
    """(m,): the greater, the likelier; to be compared within one session."""
    weights = blended.weights[buckets(found.lengths)][found.session]
    return np.asarray((found.features * weights).sum(axis=1), dtype=np.float32)
