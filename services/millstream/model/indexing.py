"""A version gets its item index: items sorted into lists, and as many lists probed as it takes to
find what exact search finds, measured on the version's own shoppers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from millstream.model.clustering import fit_centres, nearest_centres
from millstream.model.embeddings import Embeddings, FloatArray, ItemIndex
from millstream.model.item_index import search
from millstream.model.recent import recent_vectors
from millstream.model.top_k import top_k
from millstream.model.vocabulary import Rows, Vocabulary

TARGET_RECALL = 0.99
"""Of the exact first 20; a little above what is promised (0.98), since other shoppers will ask."""
MEASURED = 20
_LISTS_PER_ROOT = 4
"""Lists: so many times the square root of the number of items."""
_ASKED = 256
_MOST_PROBED = 8
"""Were one list in so many not enough, exact search would be as quick."""


def with_index(parts: Embeddings, seed: int) -> Embeddings | None:
    """`parts` with an index and the items in the order of its lists; None where no index of a
    useful size reaches TARGET_RECALL: the version is then searched exactly.

    Blocks: 40 s for a million items of 96 dimensions on one core."""
    count = round(_LISTS_PER_ROOT * len(parts.items) ** 0.5)
    if not _MOST_PROBED <= count <= len(parts.items):
        return None
    centres = fit_centres(parts.item_vectors, count, seed)
    lists = nearest_centres(parts.item_vectors, centres)
    order = np.argsort(lists, kind="stable")
    starts = np.searchsorted(lists[order], np.arange(count + 1)).astype(np.int32)
    ordered = _reordered(parts, order)
    return _calibrated(ordered, ItemIndex(centres, starts, 0, 0.0), seed)


def _reordered(parts: Embeddings, order: NDArray[np.int64]) -> Embeddings:
    ids, vectors = parts.items.ids, np.ascontiguousarray(parts.item_vectors[order])
    return replace(
        parts,
        items=Vocabulary(ids[row] for row in order.tolist()),
        item_vectors=vectors,
        encoder=parts.encoder and replace(parts.encoder, items=vectors),
    )


def _calibrated(parts: Embeddings, index: ItemIndex, seed: int) -> Embeddings | None:
    """With the least number of probes, in steps of a sixteenth, that reaches the target."""
    queries = asked_vectors(parts, _ASKED, seed) * np.float32(parts.dense_weight)
    exact = top_k_of(parts.item_vectors, queries, MEASURED)
    probes = 1
    while probes * _MOST_PROBED <= len(index.centres):
        tried = replace(index, probes=probes)
        found, _, sound = search(tried, parts.item_vectors, queries, MEASURED)
        recall = recall_of(found, exact)
        if recall >= TARGET_RECALL and sound.all():
            return replace(parts, index=replace(tried, recall=round(recall, 4)))
        probes += max(1, probes // 16)
    return None


def asked_vectors(parts: Embeddings, count: int, seed: int) -> FloatArray:
    """(count, d): half trained shoppers, half strangers who touched some of the items that lie
    near each other, as those vectors are what serving asks with."""
    rng = np.random.default_rng(seed)
    trained = parts.user_vectors[rng.integers(len(parts.users), size=(count + 1) // 2)]
    seeds = parts.item_vectors[rng.integers(len(parts.items), size=count // 2)]
    near = top_k_of(parts.item_vectors, seeds, min(MEASURED, len(parts.items)))
    recent = [rng.permutation(line)[: rng.integers(1, len(line) + 1)].tolist() for line in near]
    strangers, _ = recent_vectors(parts, [[parts.items[row] for row in line] for line in recent])
    return np.concatenate([trained, strangers]).astype(np.float32)


def top_k_of(item_vectors: FloatArray, queries: FloatArray, k: int) -> Rows:
    """(n, k) rows of the greatest inner products, exact."""
    rows = np.empty((len(queries), k), dtype=np.int32)
    for start in range(0, len(queries), 16):
        block = queries[start : start + 16] @ item_vectors.T
        rows[start : start + 16] = top_k(block, k)
    return rows


def recall_of(found: NDArray[Any], exact: NDArray[Any]) -> float:
    """The share of `exact` (n, k), rows or ids, that stands in the same line of `found`."""
    hits = (exact[:, :, None] == found[:, None, :]).any(axis=2)
    return float(hits.mean())
