"""The document's review model forward in numpy: words by rank, embedding, one LSTM, a sigmoid.

Kept as the baseline; trained by trainer/sentiment/fit_lstm.py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millstream.domain.reviews import MAX_TEXT_CHARS, MAX_TITLE_CHARS
from millstream.model.embeddings import FloatArray
from millstream.model.scorer import probability
from millstream.model.sentiment.review import ReviewText
from millstream.model.vocabulary import Vocabulary

PADDING, OTHER_WORD = 0, 1
_BATCH = 256
# What Keras' TextVectorization strips.
_PUNCTUATION = re.compile(r"[!\"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']")


@dataclass(frozen=True, slots=True)
class LstmArrays:
    """V words, d dimensions, h units. `words`: those of ids 2 and up, the most frequent first.
    `embedding` (V + 2, d); `kernel` (d, 4h), `recurrent` (h, 4h) and `bias` (4h,) with the gates in
    the order input, forget, cell, output; `dense` (h,) and `dense_bias`. `length`: ids of a
    review."""

    words: Vocabulary
    embedding: FloatArray
    kernel: FloatArray
    recurrent: FloatArray
    bias: FloatArray
    dense: FloatArray
    dense_bias: float
    length: int


class LstmSentiment:
    def __init__(self, arrays: LstmArrays) -> None:
        self._arrays = arrays

    def probabilities(self, reviews: Sequence[ReviewText]) -> FloatArray:
        """(n,)"""
        ids = self.ids(reviews)
        blocks = [self._block(ids[at : at + _BATCH]) for at in range(0, len(ids), _BATCH)]
        return np.concatenate([np.zeros(0, dtype=np.float32), *blocks])

    def ids(self, reviews: Sequence[ReviewText]) -> NDArray[np.int64]:
        """(n, length): the last words of each, padded in front."""
        found = np.full((len(reviews), self._arrays.length), PADDING, dtype=np.int64)
        for row, review in enumerate(reviews):
            said = bounded(review).lower()
            words = self._arrays.words.rows(_PUNCTUATION.sub("", said).split())
            ids = np.where(words < 0, OTHER_WORD, words + 2)[-self._arrays.length :]
            if len(ids):
                found[row, -len(ids) :] = ids
        return found

    def _block(self, ids: NDArray[np.int64]) -> FloatArray:
        arrays = self._arrays
        hidden = cell = np.zeros((len(ids), len(arrays.recurrent)), dtype=np.float32)
        for step in range(ids.shape[1]):
            gates = arrays.embedding[ids[:, step]] @ arrays.kernel + hidden @ arrays.recurrent
            entered, kept, fresh, told = np.split(gates + arrays.bias, 4, axis=1)
            cell = probability(kept) * cell + probability(entered) * np.tanh(fresh)
            hidden = probability(told) * np.tanh(cell)
        return probability(hidden @ arrays.dense + np.float32(arrays.dense_bias))


def bounded(review: ReviewText) -> str:
    """Title and text as one."""
    return f"{review.title[:MAX_TITLE_CHARS]} {review.text[:MAX_TEXT_CHARS]}"
