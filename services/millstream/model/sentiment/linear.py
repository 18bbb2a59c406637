"""The review model that serves: three linear parts over words, and what they come to together.

Counts: presence of n-grams times their log-count ratio, at unit length (NB-SVM, Wang and Manning,
ACL 2012, with logistic loss). Rarity: n-grams by sublinear tf-idf, at unit length. Likeness: the
mean of word vectors that were learnt elsewhere; a linear function of a mean is the mean of one
number per word, so no vector is needed here. The log-odds are a weighted sum of the three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.model.scorer import probability
from millstream.model.sentiment.review import ReviewText
from millstream.model.sentiment.terms import Keys, TermReader, Terms, tokens
from millstream.model.vocabulary import Vocabulary

COUNT_WEIGHT, COUNT_SQUARE, RARE_WEIGHT, RARE_SQUARE = range(4)
PARTS = ("counts", "rarity", "likeness")


@dataclass(frozen=True, slots=True)
class LinearArrays:
    """V words, n keys.

    `keys` (n,) int64, rising. `terms` (n, 4) float32, by key: what it adds to the counts part and
    the square of its log-count ratio; the same for the rarity part with its idf. `likeness`
    (V + 1, 2): what a word adds to the mean over the text and over the title; row 0 is unused.
    `offsets` (3,) of the parts; `mixing` (4,): the weight of each part and the bias."""

    words: Vocabulary
    keys: Keys
    terms: FloatArray
    likeness: FloatArray
    offsets: FloatArray
    mixing: FloatArray


class LinearSentiment:
    def __init__(self, arrays: LinearArrays) -> None:
        self._arrays = arrays
        self._reader = TermReader(arrays.words)

    def probabilities(self, reviews: Sequence[ReviewText]) -> FloatArray:
        """(n,)"""
        mixing = self._arrays.mixing
        return probability(self.parts(reviews) @ mixing[:3] + mixing[3])

    def parts(self, reviews: Sequence[ReviewText]) -> FloatArray:
        """(n, 3) log-odds, each part by itself."""
        rows = [self._sums(self._reader.read(tokens(review))) for review in reviews]
        return np.array(rows, dtype=np.float32).reshape(-1, len(PARTS)) + self._arrays.offsets

    def _sums(self, terms: Terms) -> tuple[float, float, float]:
        arrays = self._arrays
        place = np.minimum(np.searchsorted(arrays.keys, terms.keys), len(arrays.keys) - 1)
        known = arrays.keys[place] == terms.keys
        found = arrays.terms[place[known]]
        often = 1.0 + np.log(terms.counts[known])
        return (
            unit(found[:, COUNT_WEIGHT].sum(), found[:, COUNT_SQUARE].sum()),
            unit(often @ found[:, RARE_WEIGHT], often * often @ found[:, RARE_SQUARE]),
            self._mean(terms.text_words, 0) + self._mean(terms.title_words, 1),
        )

    def _mean(self, words: Keys, column: int) -> float:
        return float(self._arrays.likeness[words, column].mean()) if len(words) else 0.0


def unit(weighted: float, square: float) -> float:
    """Of a vector brought to unit length, from its product with the weights and its square."""
    return float(weighted / np.sqrt(square)) if square > 0 else 0.0
