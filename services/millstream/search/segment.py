"""Some items as arrays. What they are found by never changes; price and stock do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from millstream.domain.catalogue import CatalogueItem
from millstream.model.embeddings import FloatArray
from millstream.search.postings import Bm25, Postings
from millstream.search.spelling import Spelling
from millstream.search.terms import plain, trigrams, words

Bools = NDArray[np.bool_]


def text_of(item: CatalogueItem) -> str:
    """What it is found by."""
    return plain(f"{item.title} {item.category}")


class Segment:
    """n items. `vectors` (n, d) float32 of their texts, of unit length; `live` (n,) false for an
    item that was replaced or taken out."""

    def __init__(
        self, items: Sequence[CatalogueItem], vectors: FloatArray, before: Sequence[Segment]
    ) -> None:
        """`before`: others of the index, whose texts count for the mean lengths."""
        said = [words(text_of(item)) for item in items]
        runs = [trigrams(one) for one in said]
        # Its id finds an item, but only as a whole.
        named = [[*one, *words(plain(item.item_id))] for one, item in zip(said, items, strict=True)]
        rule = Bm25()
        self.words: Postings = Postings(named, _mean(named, [s.words for s in before]), rule)
        self.trigrams: Postings = Postings(runs, _mean(runs, [s.trigrams for s in before]), rule)
        self.spelling = Spelling(self.words.terms)
        self.vectors = vectors
        self.items = list(items)
        self.live: Bools = np.ones(len(items), dtype=np.bool_)
        self._prices = np.full(len(items), np.nan, dtype=np.float64)
        self._in_stock: Bools = np.zeros(len(items), dtype=np.bool_)
        self._shown: Bools = np.zeros(len(items), dtype=np.bool_)
        for row, item in enumerate(items):
            self.put(row, item)

    def put(self, row: int, item: CatalogueItem) -> None:
        """Of the same text as the one that stands there."""
        self.items[row] = item
        self._prices[row] = np.nan if item.price is None else item.price
        self._in_stock[row] = item.in_stock
        self._shown[row] = not item.hidden

    def meets(self, max_price: float | None, in_stock: bool) -> Bools:
        """(n,): what may be shown. A price that is not known meets no bound."""
        kept: Bools = self.live & self._shown
        if in_stock:
            kept = kept & self._in_stock
        return kept if max_price is None else kept & (self._prices <= max_price)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The live ones."""
        return np.flatnonzero(self.live)


def _mean(texts: Sequence[Sequence[str]], others: Sequence[Postings]) -> float:
    size = len(texts) + sum(one.size for one in others)
    return (sum(map(len, texts)) + sum(one.length for one in others)) / max(1, size)
