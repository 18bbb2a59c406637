"""A tenant's items by free text: START HERE.

1. The query's words and trigrams are weighed by how rare they are, words that the shop does not
   have give way to those near them, and it gets a vector (terms.py, postings.py, spelling.py,
   meaning.py).
2. Each segment scores its items: how much of the query's weight stands in them as words, as
   trigrams, and how near they are in meaning. The blend adds the three up.
3. Out goes what is hidden or does not meet the filters, and what has too little in common.
4. Of the best some are put in the order that the shopper's taste moves them to, a little.

Changes come first: an item whose text is as before changes in place, any other is in a new segment
at once. Segments are merged when the newer has grown to half the older, so that an item is built
anew a few times as the shop grows (the logarithmic method, Bentley and Saxe, 1980)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import numpy as np
from msgspec import Struct
from msgspec.structs import astuple

from millstream.domain.catalogue import CatalogueItem
from millstream.model.embeddings import FloatArray
from millstream.search.meaning import Meaning
from millstream.search.postings import Collection
from millstream.search.segment import Segment, text_of
from millstream.search.spelling import meant
from millstream.search.terms import plain, trigrams, words

Taste = Callable[[Sequence[str]], FloatArray]
"""(n,) from 0 to 1 for n items: how much they are to the shopper's taste."""


Allowed = Callable[[CatalogueItem], bool]


class Blend(Struct, frozen=True):
    """What the parts add to a score. Chosen by `millstream evaluate search` on one half of the
    items of Online Retail."""

    words: float = 1.0
    trigrams: float = 1.0
    meaning: float = 0.1


_LEAST = np.array([0.01, 0.4, 0.45], dtype=np.float32)
"""Of words (any in common), trigrams, meaning: found is only what reaches one of these. A shop has
nothing for some questions."""
TASTE = 0.05
"""What the shopper's taste adds at most."""
MOVED = 50
"""So many of the best, or all that are asked for, are put in order by it."""


class Query(Struct, frozen=True):
    text: str
    n: int = 10
    max_price: float | None = None
    """Inclusive."""
    in_stock: bool = False
    """True: of those alone."""


class Hit(Struct, frozen=True):
    """`words`, `trigrams`: the share of the query's weight in it; `meaning`: cosine."""

    item: CatalogueItem
    score: float
    words: float
    trigrams: float
    meaning: float


class SearchIndex:
    """To be used by one thread."""

    def __init__(self, meaning: Meaning, blend: Blend | None = None) -> None:
        self._meaning = meaning
        self._blend = blend or Blend()
        self._segments: list[Segment] = []
        self._places: dict[str, tuple[Segment, int]] = {}

    def __len__(self) -> int:
        return len(self._places)

    @property
    def segments(self) -> int:
        return len(self._segments)

    def apply(self, changes: Mapping[str, CatalogueItem | None]) -> None:
        """None: the item is gone. Blocks for some 0.2 ms an item whose text is new."""
        fresh = []
        for item_id, item in changes.items():
            if item is None:
                self._remove(item_id)
            elif not self._changed_in_place(item):
                self._remove(item_id)
                fresh.append(item)
        if fresh:
            self._add(fresh, self._meaning([text_of(item) for item in fresh]))
        self._tidy()

    def search(
        self, query: Query, taste: Taste | None = None, allowed: Allowed | None = None
    ) -> list[Hit]:
        """At most n, the best first; of equal ones that which came into the index first."""
        parts = self.parts(query)
        found = np.flatnonzero((parts >= _LEAST).any(axis=1))
        scores = parts[found] @ np.array(astuple(self._blend), dtype=np.float32)
        best = found[np.argsort(-scores, kind="stable")].tolist()
        every = (self._hit(row, parts[row]) for row in best)
        shown = (hit for hit in every if allowed is None or allowed(hit.item))
        if taste is None:
            return list(islice(shown, query.n))
        return _moved(list(islice(shown, max(query.n, MOVED))), taste)[: query.n]

    def items(self) -> list[CatalogueItem]:
        """In the order of `parts`, with those that are not to be shown."""
        return [item for one in self._segments for item in one.items]

    def parts(self, query: Query) -> FloatArray:
        """(items, 3): what each has in common with the query by words, trigrams and meaning; -1
        throughout for one that is not to be shown."""
        text, segments = plain(query.text), self._segments
        said = words(text)
        if not said or not segments:
            return np.zeros((0, 3), dtype=np.float32)
        shop = Collection([one.words for one in segments])
        by_words = meant(said, shop, [one.spelling for one in segments])
        by_runs = Collection([one.trigrams for one in segments]).shares(trigrams(said))
        vector = self._meaning([text])[0]
        scored = []
        for one in segments:
            columns = one.words.scores(by_words), one.trigrams.scores(by_runs), one.vectors @ vector
            block = np.stack(columns, axis=1)
            block[~one.meets(query.max_price, query.in_stock)] = -1.0
            scored.append(block)
        return np.concatenate(scored)

    def _hit(self, row: int, parts: FloatArray) -> Hit:
        weights = self._blend
        by_words, by_runs, meant = map(float, parts)
        for one in self._segments:
            if row < len(one.items):
                break
            row -= len(one.items)
        score = weights.words * by_words + weights.trigrams * by_runs + weights.meaning * meant
        return Hit(one.items[row], score, by_words, by_runs, meant)

    def _changed_in_place(self, item: CatalogueItem) -> bool:
        place = self._places.get(item.item_id)
        if place is None or text_of(place[0].items[place[1]]) != text_of(item):
            return False
        place[0].put(place[1], item)
        return True

    def _remove(self, item_id: str) -> None:
        place = self._places.pop(item_id, None)
        if place is not None:
            place[0].live[place[1]] = False

    def _add(self, items: Sequence[CatalogueItem], vectors: FloatArray) -> None:
        segment = Segment(items, vectors, self._segments)
        self._segments.append(segment)
        self._places.update((item.item_id, (segment, row)) for row, item in enumerate(items))

    def _tidy(self) -> None:
        """Segments of falling sizes, each less than half of the one before, none half empty."""
        while merged := self._to_merge():
            self._segments = [one for one in self._segments if one not in merged]
            rows = [one.rows for one in merged]
            items = [one.items[row] for one, some in zip(merged, rows, strict=True) for row in some]
            if items:
                vectors = [one.vectors[some] for one, some in zip(merged, rows, strict=True)]
                self._add(items, np.concatenate(vectors))

    def _to_merge(self) -> list[Segment]:
        for one in self._segments:
            if 2 * len(one.rows) < len(one.items) or not len(one.rows):
                return [one]
        for older, newer in zip(self._segments, self._segments[1:], strict=False):
            if 2 * len(newer.rows) >= len(older.rows):
                return [older, newer]
        return []


def _moved(hits: list[Hit], taste: Taste) -> list[Hit]:
    liked = TASTE * taste([hit.item.item_id for hit in hits])
    order = np.argsort(-(np.array([hit.score for hit in hits]) + liked), kind="stable")
    return [hits[place] for place in order.tolist()]
