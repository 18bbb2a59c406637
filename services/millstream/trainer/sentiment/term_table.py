"""Terms of many reviews as sparse matrices, and the words and keys that are worth keeping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from scipy import sparse

from millstream.model.embeddings import FloatArray
from millstream.model.sentiment.terms import Keys, ReviewTokens, TermReader, Terms
from millstream.model.vocabulary import Vocabulary

LEAST_REVIEWS = 2
"""A word or n-gram of fewer reviews says nothing of the next one."""


@dataclass(frozen=True, slots=True)
class TermTable:
    """n reviews. `keys` (m,), rising; `counts` (n, m) of each in each review."""

    keys: Keys
    counts: sparse.csr_array

    def take(self, rows: Keys) -> TermTable:
        """The keys that stand in enough of these reviews."""
        some = self.counts[rows]
        kept = np.bincount(some.indices, minlength=len(self.keys)) >= LEAST_REVIEWS
        return TermTable(self.keys[kept], sparse.csr_array(some[:, kept]))

    def of(self, keys: Keys) -> sparse.csr_array:
        """(n, len(keys)) of these keys, all of which the table has."""
        return sparse.csr_array(self.counts[:, np.searchsorted(self.keys, keys)])


def words_of(said: Sequence[ReviewTokens], more: Iterable[str]) -> Vocabulary:
    """The words of at least LEAST_REVIEWS, and others."""
    reviews = Counter(chain.from_iterable({*one.title, *one.text} for one in said))
    kept = {word for word, count in reviews.items() if count >= LEAST_REVIEWS}
    return Vocabulary(sorted(kept.union(more)))


def term_table(read: Sequence[Terms]) -> TermTable:
    every = np.concatenate([terms.keys for terms in read] or [np.zeros(0, dtype=np.int64)])
    keys, column = np.unique(every, return_inverse=True)
    starts = np.cumsum([0, *(len(terms.keys) for terms in read)])
    counts = np.concatenate([terms.counts for terms in read] or [np.zeros(0, dtype=np.int64)])
    shape = (len(read), len(keys))
    table = sparse.csr_array((counts.astype(np.float64), column, starts), shape=shape)
    return TermTable(keys, table)


def word_means(read: Sequence[Terms], vectors: FloatArray) -> FloatArray:
    """(n, 2d) the mean vector of the distinct words of the text beside that of the title's words;
    `vectors` (V + 1, d) by id."""
    text = _means([terms.text_words for terms in read], vectors)
    return np.hstack([text, _means([terms.title_words for terms in read], vectors)])


def _means(words: Sequence[Keys], vectors: FloatArray) -> FloatArray:
    found = np.zeros((len(words), vectors.shape[1]), dtype=np.float32)
    for row, ids in enumerate(words):
        if len(ids):
            found[row] = vectors[ids].mean(axis=0)
    return found


def read_all(said: Sequence[ReviewTokens], words: Vocabulary) -> list[Terms]:
    reader = TermReader(words)
    return [reader.read(one) for one in said]


Vectors = Callable[[Sequence[str]], FloatArray]
"""(n, d) of n words, learnt elsewhere."""
