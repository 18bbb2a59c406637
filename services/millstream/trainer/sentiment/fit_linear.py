"""Fits the review model that serves. What it chooses, it chooses on held-out parts of what it is
given: the strength of each part, and the weights by which the parts are mixed, which are thereby
calibrated (Platt 1999; Wolpert 1992 for the mixing)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from millstream.model.embeddings import FloatArray
from millstream.model.sentiment.linear import LinearArrays
from millstream.model.sentiment.terms import tokens
from millstream.model.vocabulary import Vocabulary
from millstream.trainer.sentiment import parts
from millstream.trainer.sentiment.data import Ints, Reviews, folds
from millstream.trainer.sentiment.parts import KeyPart, VectorPart
from millstream.trainer.sentiment.term_table import (
    TermTable,
    Vectors,
    read_all,
    term_table,
    word_means,
    words_of,
)


@dataclass(frozen=True, slots=True)
class LinearRule:
    """By part, the strengths to choose among."""

    counts: tuple[float, ...] = (10.0, 30.0, 100.0)
    rarity: tuple[float, ...] = (5.0, 20.0)
    likeness: tuple[float, ...] = (0.001, 0.003)
    inner_folds: int = 4


@dataclass(frozen=True, slots=True)
class _Data:
    labels: Ints
    table: TermTable
    means: FloatArray


def fit_linear(
    reviews: Reviews, vectors: Vectors, more_words: Sequence[str], rule: LinearRule | None = None
) -> LinearArrays:
    """`more_words` that no review has get a likeness, too. Blocks for seconds to a minute."""
    rule = rule or LinearRule()
    said = [tokens(text) for text in reviews.texts]
    words = words_of(said, more_words)
    known = np.vstack([np.zeros((1, vectors([""]).shape[1]), np.float32), vectors(words.ids)])
    read = read_all(said, words)
    data = _Data(reviews.labels, term_table(read), word_means(read, known))
    inner = folds(reviews, rule.inner_folds)
    chosen = [
        _chosen(data, inner, fit, strengths)
        for fit, strengths in zip(_FITS, (rule.counts, rule.rarity, rule.likeness), strict=True)
    ]
    mixing = LogisticRegression(C=10.0).fit(np.column_stack([p for _, p in chosen]), data.labels)
    return _arrays(words, known, data, [s for s, _ in chosen], mixing)


_Fit = Callable[[_Data, Ints, float], Callable[[Ints], FloatArray]]
"""Fits a part on the rows, with a strength; returns its log-odds of other rows."""


def _counts(data: _Data, rows: Ints, strength: float) -> Callable[[Ints], FloatArray]:
    some = data.table.take(rows)
    part = parts.fit_counts(parts.presence(some.counts), data.labels[rows], strength)
    every = parts.presence(data.table.of(some.keys))
    return lambda asked: part.log_odds(every[asked])


def _rarity(data: _Data, rows: Ints, strength: float) -> Callable[[Ints], FloatArray]:
    some = data.table.take(rows)
    part = parts.fit_rarity(parts.dampened(some.counts), data.labels[rows], strength)
    every = parts.dampened(data.table.of(some.keys))
    return lambda asked: part.log_odds(every[asked])


def _likeness(data: _Data, rows: Ints, strength: float) -> Callable[[Ints], FloatArray]:
    part = parts.fit_vectors(data.means[rows], data.labels[rows], strength)
    return lambda asked: part.log_odds(data.means[asked])


_FITS: tuple[_Fit, ...] = (_counts, _rarity, _likeness)


def _chosen(
    data: _Data, inner: Ints, fit: _Fit, strengths: Sequence[float]
) -> tuple[float, FloatArray]:
    """The strength whose held-out log-odds order the reviews best, and those log-odds."""
    tried = [(strength, _held_out(data, inner, fit, strength)) for strength in strengths]
    return max(tried, key=lambda found: float(roc_auc_score(data.labels, found[1])))


def _held_out(data: _Data, inner: Ints, fit: _Fit, strength: float) -> FloatArray:
    found = np.zeros(len(data.labels), dtype=np.float32)
    for fold in np.unique(inner):
        asked = np.flatnonzero(inner == fold)
        found[asked] = fit(data, np.flatnonzero(inner != fold), strength)(asked)
    return found


def _arrays(
    words: Vocabulary,
    known: FloatArray,
    data: _Data,
    strengths: Sequence[float],
    mixing: LogisticRegression,
) -> LinearArrays:
    kept = data.table.take(np.arange(len(data.labels)))
    counts = parts.fit_counts(parts.presence(kept.counts), data.labels, strengths[0])
    rarity = parts.fit_rarity(parts.dampened(kept.counts), data.labels, strengths[1])
    likeness = parts.fit_vectors(data.means, data.labels, strengths[2])
    return LinearArrays(
        words=words,
        keys=kept.keys,
        terms=_columns(counts, rarity),
        likeness=_by_word(known, likeness),
        offsets=np.array([counts.bias, rarity.bias, likeness.bias], dtype=np.float32),
        mixing=np.append(mixing.coef_[0], mixing.intercept_[0]).astype(np.float32),
    )


def _columns(counts: KeyPart, rarity: KeyPart) -> FloatArray:
    return np.column_stack([counts.weight, counts.square, rarity.weight, rarity.square])


def _by_word(known: FloatArray, likeness: VectorPart) -> FloatArray:
    size = known.shape[1]
    return np.column_stack([known @ likeness.weight[:size], known @ likeness.weight[size:]])
