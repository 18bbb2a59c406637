"""The baseline that a good first try gives: TF-IDF of one and two words, and a linear SVM."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from millstream.model.embeddings import FloatArray
from millstream.model.sentiment.lstm import bounded
from millstream.model.sentiment.review import ReviewText
from millstream.trainer.sentiment.data import Reviews


def fit_svm(reviews: Reviews) -> Callable[[Sequence[ReviewText]], FloatArray]:
    """A function that gives (n,) labels, 0 or 1."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    rows = vectorizer.fit_transform(map(bounded, reviews.texts))
    svm = LinearSVC(C=1.0, random_state=0).fit(rows, reviews.labels)
    return lambda texts: np.asarray(
        svm.predict(vectorizer.transform(map(bounded, texts))), dtype=np.float32
    )
