"""How little known, and how unlike, the items of lists are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from math import log2

import numpy as np

from millstream.model.scorer import Scorer


def novelty(lists: Sequence[Sequence[str]], sold: Counter[str]) -> float:
    """Mean self-information of the places, -log2 of the item's share of all sold lines (Vargas and
    Castells, Rank and relevance in novelty and diversity metrics, RecSys 2011)."""
    total, places = sold.total(), list(chain.from_iterable(lists))
    return sum(-log2(max(sold[item], 1) / total) for item in places) / max(1, len(places))


def likeness(lists: Sequence[Sequence[str]], scorer: Scorer) -> float:
    """Mean cosine of two items of one list in the model's space, of those that it knows."""
    means = []
    for line in lists:
        rows = scorer.items.rows(line)
        vectors = scorer.item_vectors(rows[rows >= 0])
        if len(vectors) > 1:
            unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
            pairs = unit @ unit.T
            means.append(float((pairs.sum() - np.trace(pairs)) / (pairs.size - len(pairs))))
    return sum(means) / max(1, len(means))
