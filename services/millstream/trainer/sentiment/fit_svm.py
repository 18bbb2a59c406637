"""The baseline that a good first try gives: TF-IDF of one and two words, and a linear SVM.

As strong as we could make it: with the title once and words without apostrophes it is a point
weaker, with other strengths (0.3, 3, 10) and with words of one review alone weaker, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from millstream.domain.reviews import MAX_TITLE_CHARS
from millstream.model.embeddings import FloatArray
from millstream.model.sentiment.lstm import bounded
from millstream.model.sentiment.review import ReviewText
from millstream.trainer.sentiment.data import Reviews

_TERM = r"\w+(?:'\w+)?|[!?]"


def fit_svm(reviews: Reviews) -> Callable[[Sequence[ReviewText]], FloatArray]:
    """A function that gives (n,) labels, 0 or 1."""
    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, min_df=2, token_pattern=_TERM
    )
    rows = vectorizer.fit_transform(map(_said, reviews.texts))
    svm = LinearSVC(C=1.0, random_state=0).fit(rows, reviews.labels)
    return lambda texts: np.asarray(
        svm.predict(vectorizer.transform(map(_said, texts))), dtype=np.float32
    )


def _said(review: ReviewText) -> str:
    """The title counts twice."""
    return f"{review.title[:MAX_TITLE_CHARS]} {bounded(review)}"
