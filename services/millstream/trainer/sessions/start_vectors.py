"""Where item vectors start: items that are touched one after the other start near each other.

FastRP (Chen et al., CIKM 2019): random directions, averaged over neighbours of the graph of
transitions a few times; each item is the sum of its own direction and of what each round gave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.item_item import SparseRows, sparse_rows
from millstream.model.sessions.ragged import Ints
from millstream.model.sessions.session_log import SessionLog
from millstream.trainer.sessions.item_pairs import PairRule, pairs

_CELLS_AT_ONCE = 100_000
_GRAPH = PairRule(window=3, behind=1.0, same=0.0, recency_scale=100.0)


@dataclass(frozen=True, slots=True)
class StartRule:
    """`rounds`: how often directions are averaged. `damping`: a pair that was seen w times weighs
    w ** damping."""

    rounds: int = 3
    damping: float = 0.5
    pairs: PairRule = _GRAPH


def start_vectors(
    log: SessionLog, items: int, dimensions: int, rng: np.random.Generator, rule: StartRule
) -> FloatArray:
    """(items, d) unit rows; one that has no neighbour points anywhere."""
    graph = neighbours(log, items, rule)
    spread = unit(rng.standard_normal((items, dimensions)).astype(np.float32))
    total = spread
    for _ in range(rule.rounds):
        spread = unit(averaged(graph, spread))
        total = total + spread
    return unit(total)


def joined_by(log: SessionLog, vectors: FloatArray, known: Ints, rule: StartRule) -> FloatArray:
    """`vectors` with every row that is not among `known` rows at the mean of its known neighbours,
    as a new item joins a fitted encoder. One without such neighbours stays."""
    is_new = np.ones(len(vectors), dtype=np.bool_)
    is_new[known] = False
    of_new = neighbours(log, len(vectors), rule, is_new)
    mean = averaged(of_new, np.where(is_new[:, None], np.float32(0.0), unit(vectors)))
    joins = is_new & mean.any(axis=1)
    return np.where(joins[:, None], unit(mean), vectors)


def neighbours(
    log: SessionLog, items: int, rule: StartRule, wanted: NDArray[np.bool_] | None = None
) -> SparseRows:
    """Rows sum to one; without the cells of an item with itself. Those that are not `wanted`
    (items,) have none."""
    keys, weights = pairs(log, items, rule.pairs)
    row, column = np.divmod(keys, items)
    kept = row != column if wanted is None else (row != column) & wanted[row]
    keys, row, weights = keys[kept], row[kept], weights[kept]
    weights = weights**rule.damping
    return sparse_rows(keys, weights / np.bincount(row, weights, minlength=items)[row], items)


def averaged(graph: SparseRows, vectors: FloatArray) -> FloatArray:
    """The product of the sparse and the dense matrix, some cells at a time."""
    out = np.zeros_like(vectors)
    filled = np.flatnonzero(np.diff(graph.starts) > 0)
    begin, end = graph.starts[filled], graph.starts[filled + 1]
    portion = begin // _CELLS_AT_ONCE
    for number in np.unique(portion):
        of = np.flatnonzero(portion == number)
        cells = slice(begin[of[0]], end[of[-1]])
        terms = graph.values[cells, None].astype(np.float32) * vectors[graph.columns[cells]]
        out[filled[of]] = np.add.reduceat(terms, begin[of] - begin[of[0]], axis=0)
    return out


def unit(vectors: FloatArray) -> FloatArray:
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norm, 1e-9), dtype=np.float32)
