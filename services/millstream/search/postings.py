"""Which texts have which terms, and what that is worth: BM25 (Robertson et al., TREC-3, 1994)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import log

import numpy as np
from msgspec import Struct

from millstream.model.embeddings import FloatArray


class Bm25(Struct, frozen=True):
    """`saturation` (k1): how soon a term that comes again adds nothing. `length` (b), 0 to 1: how
    much a term of a long text counts less."""

    saturation: float = 1.2
    length: float = 0.4


class Postings:
    """Of n texts; never changed once built."""

    def __init__(self, texts: Sequence[Sequence[str]], mean_length: float, rule: Bm25) -> None:
        rows: dict[str, list[int]] = {}
        values: dict[str, list[float]] = {}
        self.size, self.length = len(texts), sum(map(len, texts))
        for row, text in enumerate(texts):
            share = 1.0 - rule.length + rule.length * len(text) / max(mean_length, 1e-9)
            for term, count in Counter(text).items():
                value = count * (rule.saturation + 1.0) / (count + rule.saturation * share)
                rows.setdefault(term, []).append(row)
                values.setdefault(term, []).append(value)
        self._found = {
            term: (np.array(rows[term], dtype=np.int32), np.array(values[term], dtype=np.float32))
            for term in rows
        }

    @property
    def terms(self) -> Iterable[str]:
        return self._found.keys()

    def count(self, term: str) -> int:
        """Texts that have it."""
        found = self._found.get(term)
        return 0 if found is None else len(found[0])

    def scores(self, weights: Mapping[str, float]) -> FloatArray:
        """(n,): the sum of the terms' weights, each at 1 for a term that stands once in a text of
        mean length."""
        total = np.zeros(self.size, dtype=np.float32)
        for term, weight in weights.items():
            found = self._found.get(term)
            if found is not None:
                total[found[0]] += np.float32(weight) * found[1]
        return total


class Collection:
    """All postings of one kind, to weigh a query by. Texts that were replaced count until theirs
    are built anew."""

    def __init__(self, every: Sequence[Postings]) -> None:
        self._every = every
        self._size = sum(one.size for one in every)

    def count(self, term: str) -> int:
        return sum(one.count(term) for one in self._every)

    def rarity(self, term: str) -> float:
        """The less texts have it, the more; above 0."""
        having = self.count(term)
        return log(1.0 + (self._size - having + 0.5) / (having + 0.5))

    def shares(self, terms: Iterable[str]) -> dict[str, float]:
        """The rarity of each distinct term as a share of 1."""
        rarity = {term: self.rarity(term) for term in dict.fromkeys(terms)}
        total = sum(rarity.values())
        return {term: value / total for term, value in rarity.items()}
