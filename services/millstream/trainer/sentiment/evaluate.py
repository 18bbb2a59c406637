"""`millstream evaluate reviews`: three models on the same folds, each review judged once by models
that saw neither it nor another copy of its text."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import FloatArray
from millstream.model.sentiment.linear import LinearSentiment
from millstream.model.sentiment.review import ReviewText
from millstream.model.word_vectors import WordVectors
from millstream.trainer.sentiment.calibration import calibration_error
from millstream.trainer.sentiment.data import Ints, Reviews, folds, read_reviews
from millstream.trainer.sentiment.fit_linear import fit_linear
from millstream.trainer.sentiment.fit_lstm import fit_lstm
from millstream.trainer.sentiment.fit_svm import fit_svm
from millstream.trainer.sessions.metrics import paired_interval

FOLDS = 5
OURS, LSTM, SVM = "accuracy", "baseline_lstm", "tfidf_svm"
_NEUTRAL = 0.5

Judge = Callable[[Sequence[ReviewText]], FloatArray]
Fit = Callable[[Reviews, int], Judge]
"""Of reviews to learn from, and a seed."""


@dataclass(frozen=True, slots=True)
class Judged:
    """By model: (n,) probabilities, and CPU seconds for all n."""

    probabilities: dict[str, FloatArray]
    seconds: dict[str, float]
    fold_of: Ints


def evaluate_reviews(folder: Path, told: Callable[[str], None]) -> dict[str, Any]:
    """Blocks for many minutes, most of them for the LSTM. Raises OperatorError."""
    reviews, vectors = read_reviews(folder), WordVectors()
    more = vectors.whole_words()
    told(f"{len(reviews)} reviews, {len(set(reviews.domains))} domains, {FOLDS} folds")
    fits: dict[str, Fit] = {
        OURS: lambda some, _: LinearSentiment(fit_linear(some, vectors.unit, more)).probabilities,
        SVM: lambda some, _: fit_svm(some),
        LSTM: lambda some, seed: fit_lstm(some, seed, told).probabilities,
    }
    return summary(reviews, judge(reviews, fits, told))


def judge(reviews: Reviews, fits: Mapping[str, Fit], told: Callable[[str], None]) -> Judged:
    fold_of = folds(reviews, FOLDS)
    found = {name: np.zeros(len(reviews), dtype=np.float32) for name in fits}
    seconds = dict.fromkeys(fits, 0.0)
    for fold in range(FOLDS):
        rows = np.flatnonzero(fold_of == fold)
        train, asked = reviews.take(np.flatnonzero(fold_of != fold)), reviews.take(rows)
        for name, fit in fits.items():
            fitted = fit(train, fold)
            began = time.process_time()
            found[name][rows] = fitted(asked.texts)
            seconds[name] += time.process_time() - began
            right = _accuracy(found[name][rows], asked.labels)
            told(f"fold {fold + 1} of {FOLDS}: {name} {right:.4f}")
    return Judged(found, seconds, fold_of)


def summary(reviews: Reviews, judged: Judged) -> dict[str, Any]:
    """The figure of a model is the mean over the domains."""
    domains = np.array(reviews.domains)
    by_domain = {
        name: {
            str(domain): round(
                _accuracy(given[domains == domain], reviews.labels[domains == domain]), 4
            )
            for domain in np.unique(domains)
        }
        for name, given in judged.probabilities.items()
    }
    return {
        **{name: round(float(np.mean([*found.values()])), 4) for name, found in by_domain.items()},
        **{f"{name}_by_domain": found for name, found in by_domain.items()},
        "gain_on_tfidf_svm": _gain(judged, reviews.labels),
        "ece": _ece(judged.probabilities[OURS], reviews.labels),
        "baseline_lstm_ece": _ece(judged.probabilities[LSTM], reviews.labels),
        "reviews_per_s": round(len(reviews) / judged.seconds[OURS]),
        "reviews": len(reviews),
        "folds": [
            {
                name: round(_accuracy(given[rows], reviews.labels[rows]), 4)
                for name, given in judged.probabilities.items()
            }
            for rows in (judged.fold_of == fold for fold in np.unique(judged.fold_of))
        ],
    }


def _right(probabilities: FloatArray, labels: Ints) -> NDArray[np.float64]:
    return np.asarray((probabilities > _NEUTRAL) == labels, dtype=np.float64)


def _accuracy(probabilities: FloatArray, labels: Ints) -> float:
    return float(_right(probabilities, labels).mean())


def _ece(probabilities: FloatArray, labels: Ints) -> float:
    return round(calibration_error(probabilities, labels), 4)


def _gain(judged: Judged, labels: Ints) -> list[float]:
    """The 95 % interval of our accuracy less the SVM's, paired by review."""
    ours, theirs = (_right(judged.probabilities[name], labels) for name in (OURS, SVM))
    low, high = paired_interval(ours, theirs, np.random.default_rng(0))
    return [round(low, 4), round(high, 4)]
