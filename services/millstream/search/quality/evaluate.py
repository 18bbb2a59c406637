"""`millstream evaluate search`: whether the item that was meant is among the first ten."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import product
from statistics import fmean
from time import perf_counter, thread_time
from typing import Any

import numpy as np
from msgspec import to_builtins
from msgspec.structs import astuple, replace

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.errors import OperatorError
from millstream.search.index import Blend, Query, SearchIndex
from millstream.search.meaning import Meaning, hashed, meaning
from millstream.search.quality.known_items import (
    APART,
    KnownItem,
    halves,
    known_items,
    same_title,
)

FIRST = 10
_TRIGRAMS = (0.0, 0.25, 0.5, 1.0, 2.0)
_MEANING = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
_LEAST_ITEMS = 100

Shares = dict[str, float]


def evaluate_search(
    items: Sequence[CatalogueItem], seed: int, told: Callable[[str], None]
) -> dict[str, Any]:
    """Blocks for a minute or two with 4,000 items. Raises OperatorError."""
    if len(items) < _LEAST_ITEMS:
        raise OperatorError("items", str(len(items)), f"at least {_LEAST_ITEMS} with a title")
    by_meaning = meaning()
    if by_meaning is hashed:
        raise OperatorError(
            "word vectors", "none that load", "the extra `text`", "pip install 'millstream[text]'"
        )
    half, other = (known_items(some, seed) for some in halves(items, seed))
    told(f"{len(items)} items; {len(half)} queries to choose with, {len(other)} to judge by")
    blend = chosen(filled(items, by_meaning, Blend()), half)
    told(f"weights {to_builtins(blend)}")
    ours, millis, cpu_millis = judged(filled(items, by_meaning, blend), other)
    without = {
        name: judged(filled(items, vectors, some), other)[0]
        for name, vectors, some in (
            ("meaning", by_meaning, replace(blend, meaning=0.0)),
            ("trigrams", by_meaning, replace(blend, trigrams=0.0)),
            ("word vectors (hashing in their place)", hashed, blend),
        )
    }
    return {
        "recall_at_10": _mean(ours),
        "p99_ms": _percentile(millis, 99),
        "p50_ms": _percentile(millis, 50),
        "p99_cpu_ms": _percentile(cpu_millis, 99),
        "queries": sum(query.rule not in APART for query in other),
        "by_rule": _rounded(ours),
        "without": {name: {"recall_at_10": _mean(s), **_rounded(s)} for name, s in without.items()},
        "weights": to_builtins(blend),
        "items": len(items),
        "distinct_titles": len({same_title(item.title) for item in items}),
        "seed": seed,
    }


def filled(items: Sequence[CatalogueItem], by_meaning: Meaning, blend: Blend) -> SearchIndex:
    index = SearchIndex(by_meaning, blend)
    index.apply({item.item_id: item for item in items})
    return index


def chosen(index: SearchIndex, queries: Sequence[KnownItem]) -> Blend:
    """The trigrams' and meaning's weights beside 1 for words: the greatest mean over the rules of
    the share found in the first ten; of equal ones the first of the grid. Equal scores count
    against us."""
    grid = [Blend(1.0, *pair) for pair in product(_TRIGRAMS, _MEANING)]
    weights = np.array([astuple(one) for one in grid], dtype=np.float32).T
    titles = np.array([same_title(item.title) for item in index.items()])
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for query in queries:
        scores = index.parts(Query(query.text)) @ weights  # (items, grid)
        meant = titles == query.meant
        ahead = (scores[~meant] >= scores[meant].max(axis=0)).sum(axis=0)
        found[query.rule].append(ahead < FIRST)
    means = np.mean([np.mean(rows, axis=0) for rows in found.values()], axis=0)
    return grid[int(np.argmax(means))]


def judged(
    index: SearchIndex, queries: Sequence[KnownItem]
) -> tuple[Shares, list[float], list[float]]:
    """By rule the share found; milliseconds that each search took, and of CPU."""
    found: defaultdict[str, list[bool]] = defaultdict(list)
    millis, cpu_millis = [], []
    for query in queries:
        began, cpu_began = perf_counter(), thread_time()
        hits = index.search(Query(query.text, FIRST))
        cpu_millis.append(1000 * (thread_time() - cpu_began))
        millis.append(1000 * (perf_counter() - began))
        found[query.rule].append(any(same_title(hit.item.title) == query.meant for hit in hits))
    return {rule: fmean(rows) for rule, rows in found.items()}, millis, cpu_millis


def _percentile(values: Sequence[float], percent: float) -> float:
    return round(float(np.percentile(values, percent)), 2)


def _mean(shares: Shares) -> float:
    """Over the rules that ask for words."""
    return round(fmean(share for rule, share in shares.items() if rule not in APART), 4)


def _rounded(shares: Shares) -> Shares:
    return {rule: round(share, 4) for rule, share in shares.items()}
