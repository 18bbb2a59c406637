"""The three linear parts of the review model, each fitted by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from millstream.model.embeddings import FloatArray
from millstream.trainer.sentiment.data import Ints

_SMOOTHING = 1.0


@dataclass(frozen=True, slots=True)
class KeyPart:
    """`weight` (m,) what a key's value adds to the log-odds, `square` (m,) what its value adds to
    the squared length; see LinearArrays.terms."""

    weight: FloatArray
    square: FloatArray
    bias: float

    def log_odds(self, values: sparse.csr_array) -> FloatArray:
        """(n,) for (n, m) presences of the counts part or `dampened` counts of the rarity part."""
        length = np.sqrt(values.power(2) @ self.square)
        return np.asarray(values @ self.weight / np.maximum(length, 1e-9) + self.bias)


@dataclass(frozen=True, slots=True)
class VectorPart:
    """(2d,) on `word_means`."""

    weight: FloatArray
    bias: float

    def log_odds(self, means: FloatArray) -> FloatArray:
        return np.asarray(means @ self.weight + self.bias)


def presence(counts: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array(
        (np.ones_like(counts.data), counts.indices, counts.indptr), counts.shape
    )


def dampened(counts: sparse.csr_array) -> sparse.csr_array:
    values = 1.0 + np.log(counts.data)
    return sparse.csr_array((values, counts.indices, counts.indptr), counts.shape)


def fit_counts(present: sparse.csr_array, labels: Ints, strength: float) -> KeyPart:
    """Keys are scaled by the log-ratio of their chances in good and in bad reviews. `strength`: the
    greater, the less the weights are held back."""
    good = _SMOOTHING + present[labels == 1].sum(axis=0)
    bad = _SMOOTHING + present[labels == 0].sum(axis=0)
    return _fit_keys(present, np.log((good / good.sum()) / (bad / bad.sum())), labels, strength)


def fit_rarity(damped: sparse.csr_array, labels: Ints, strength: float) -> KeyPart:
    reviews = np.bincount(damped.indices, minlength=damped.shape[1])
    idf = 1.0 + np.log((1 + damped.shape[0]) / (1 + reviews))
    return _fit_keys(damped, idf, labels, strength)


def fit_vectors(means: FloatArray, labels: Ints, strength: float) -> VectorPart:
    middle, spread = means.mean(axis=0), np.maximum(means.std(axis=0), 1e-6)
    fitted = LogisticRegression(C=strength, max_iter=500).fit((means - middle) / spread, labels)
    weight = fitted.coef_[0] / spread
    return VectorPart(weight.astype(np.float32), float(fitted.intercept_[0] - weight @ middle))


def _fit_keys(values: sparse.csr_array, scale: Any, labels: Ints, strength: float) -> KeyPart:
    scaled = values @ sparse.diags_array(scale)
    lengths = np.sqrt(scaled.power(2).sum(axis=1))
    rows = sparse.csr_array(sparse.diags_array(1.0 / np.maximum(lengths, 1e-9)) @ scaled)
    # liblinear takes 32-bit indexes alone.
    rows.indices, rows.indptr = rows.indices.astype(np.int32), rows.indptr.astype(np.int32)
    fitted = LogisticRegression(C=strength, solver="liblinear", random_state=0).fit(rows, labels)
    weight = scale * fitted.coef_[0]
    return KeyPart(
        weight.astype(np.float32), np.square(scale).astype(np.float32), float(fitted.intercept_[0])
    )
