"""Serving in numpy: the probabilities of the trained network without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import Embeddings, FloatArray
from millstream.model.item_index import search
from millstream.model.recent import Recent, recent_vectors
from millstream.model.top_k import top_k
from millstream.model.vocabulary import UNKNOWN, Rows

Shopper = tuple[str, Sequence[Recent]]
"""User id and what was touched last, newest first."""

_BLOCK_SCORES = 2_500_000  # 10 MB of scores at once: they stay in the cache until the cut is made
MANY = 256
SOME_ITEMS = 50_000
"""So many shoppers share one reading of so few items: exact search costs them at most twice what
the index does, and misses nothing. A few shoppers would read all of it for themselves."""
_FEW = 32
"""Queries up to which BLAS is the quicker with items as rows, by up to half; then turned round in
pieces of _ITEMS, which the cache holds."""
_ITEMS = 4_096


class Scorer:
    """Pure reading of memory-mapped arrays; safe to share between threads."""

    def __init__(self, embeddings: Embeddings) -> None:
        self.parts = embeddings
        self.users = embeddings.users
        self.items = embeddings.items
        self.weight = embeddings.rule.weight
        self.blend = embeddings.rule.blend

    def user_vectors(self, shoppers: Sequence[Shopper]) -> tuple[FloatArray, NDArray[np.bool_]]:
        """(n, d) vectors and (n,) flags; where the flag is false nothing is known of the shopper
        and the vector is zero: every item then scores alike, so the list must come from elsewhere.

        A trained shopper moves toward the items touched since by `recent_share`, so that a click
        shows at once; a shopper without an embedding is the recent items alone."""
        parts, share = self.parts, self.parts.rule.recent_share
        trained_rows = self.users.rows(user for user, _ in shoppers)
        vectors, touched = recent_vectors(parts, [recent for _, recent in shoppers])
        trained = trained_rows != UNKNOWN
        vectors[trained & touched] *= share
        weight = np.where(touched[trained], 1.0 - share, 1.0).astype(np.float32)
        vectors[trained] += weight[:, None] * parts.user_vectors[trained_rows[trained]]
        return vectors, trained | touched

    def item_vectors(self, rows: Rows) -> FloatArray:
        """(m, d) a copy."""
        return np.asarray(self.parts.item_vectors[rows])

    def scores(self, vectors: FloatArray, item_rows: Rows) -> FloatArray:
        """(n, m): the logit of each item row for each vector; the greater, the likelier."""
        parts = self.parts
        logits = parts.dense_weight * (vectors @ parts.item_vectors[item_rows].T)
        return np.asarray(logits + parts.dense_bias, dtype=np.float32)

    def nearest(self, vectors: FloatArray, k: int) -> tuple[Rows, FloatArray]:
        """((n, k) item rows, (n, k) logits), likeliest first; k is cut to the number of items. Of
        equal products the lower row comes first. Exact over all items, unless the version has an
        index that pays: then of the exact first 20 as many as its manifest says, and every logit
        true."""
        parts, k = self.parts, min(k, len(self.items))
        queries = vectors * np.float32(parts.dense_weight)
        exact_is_cheap = len(queries) >= MANY and len(self.items) <= SOME_ITEMS
        if parts.index is None or exact_is_cheap:
            rows, products = self._exact(queries, k)
        else:
            rows, products, sound = search(parts.index, parts.item_vectors, queries, k)
            if not sound.all():
                rows[~sound], products[~sound] = self._exact(queries[~sound], k)
        return rows, products + np.float32(parts.dense_bias)

    def _exact(self, queries: FloatArray, k: int) -> tuple[Rows, FloatArray]:
        rows = np.zeros((len(queries), k), dtype=np.int32)
        products = np.zeros((len(queries), k), dtype=np.float32)
        for start, block in self._products(queries):
            best = top_k(block, k)
            rows[start : start + len(best)] = best
            products[start : start + len(best)] = np.take_along_axis(block, best, axis=1)
        return rows, products

    def _products(self, queries: FloatArray) -> Iterator[tuple[int, FloatArray]]:
        step = max(1, _BLOCK_SCORES // max(1, len(self.items)))
        for start in range(0, len(queries), step):
            yield start, _product(queries[start : start + step], self.parts.item_vectors)

    def all_scores(self, vectors: FloatArray) -> Iterator[tuple[int, FloatArray]]:
        """Blocks (first vector of the block, (b, n_items) logits), bounded in memory."""
        for start, block in self._products(vectors * np.float32(self.parts.dense_weight)):
            yield start, np.add(block, np.float32(self.parts.dense_bias), out=block)


def _product(queries: FloatArray, items: FloatArray) -> FloatArray:
    """(n, m) inner products of (n, d) and (m, d)."""
    if len(queries) > _FEW:
        return queries @ items.T
    products = np.empty((len(queries), len(items)), dtype=np.float32)
    for start in range(0, len(items), _ITEMS):
        block = items[start : start + _ITEMS]
        products[:, start : start + len(block)] = (block @ queries.T).T
    return products


def probability(logits: FloatArray) -> FloatArray:
    """The network's output for a logit: the logistic function, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)), dtype=np.float32)
