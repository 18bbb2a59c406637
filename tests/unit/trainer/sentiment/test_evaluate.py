from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tests.training.sentiment.made_reviews import made_reviews

from millstream.model.embeddings import FloatArray
from millstream.model.sentiment.review import ReviewText
from millstream.trainer.sentiment.data import Reviews
from millstream.trainer.sentiment.evaluate import (
    FOLDS,
    LSTM,
    OURS,
    SVM,
    Judge,
    Judged,
    judge,
    summary,
)
from millstream.trainer.sentiment.fit_svm import fit_svm


def test_no_model_is_asked_about_a_text_that_it_has_seen() -> None:
    made = made_reviews(60, 0)
    doubled = made.take(np.concatenate([np.arange(60), np.arange(20)]))
    asked, lines = Counter[ReviewText](), list[str]()

    def fit(train: Reviews, seed: int) -> Judge:
        seen = set(train.texts)

        def give(texts: Sequence[ReviewText]) -> FloatArray:
            assert not seen.intersection(texts)
            asked.update(texts)
            return np.full(len(texts), seed / FOLDS, dtype=np.float32)

        return give

    found = judge(doubled, {OURS: fit}, lines.append)
    assert asked == Counter(doubled.texts)
    assert len(lines) == FOLDS
    assert found.probabilities[OURS].tolist() == (found.fold_of / FOLDS).astype(np.float32).tolist()


def test_a_figure_is_the_mean_of_the_domains() -> None:
    reviews = replace(made_reviews(8, 0), domains=("books",) * 6 + ("kitchen",) * 2)
    labels = reviews.labels.astype(np.float32)
    ours = 0.1 + 0.8 * np.where(np.arange(8) < 6, labels, 1 - labels)
    given = {OURS: ours.astype(np.float32), LSTM: np.full(8, 0.9, np.float32), SVM: labels}
    found = summary(reviews, Judged(given, {OURS: 2.0}, np.arange(8) % 2))

    assert found["accuracy_by_domain"] == {"books": 1.0, "kitchen": 0.0}
    assert (found["accuracy"], found["baseline_lstm"], found["tfidf_svm"]) == (0.5, 0.5, 1.0)
    assert found["gain_on_tfidf_svm"][0] < 0
    assert (found["ece"], found["baseline_lstm_ece"]) == (0.15, 0.4)
    assert found["reviews_per_s"] == 4
    # Label 1 stands in even rows: a model that always says yes is right in one fold alone.
    assert [fold["baseline_lstm"] for fold in found["folds"]] == [1.0, 0.0]


def test_the_svm_learns_the_made_world() -> None:
    asked = made_reviews(100, 7)
    right = (fit_svm(made_reviews(300, 0))(asked.texts) > 0.5) == asked.labels
    assert right.mean() > 0.85
