"""An inverted file over the item vectors: a shopper is compared with the lists of items whose
centres lie nearest, not with all items (Jégou et al., 2011, without their compression).

The rows of the item vectors stand in the order of the lists, so that a list is a slice of the
memory-mapped array: nothing is copied, and all workers of a host share the pages. Products are
those of the exact search, so what is found has its true score; only what lies in no probed list
is missed. Inner product throughout: norms need no transformation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import FloatArray, ItemIndex
from millstream.model.top_k import top_k
from millstream.model.vocabulary import Rows

_BLOCK = 512
"""Shoppers at once: the more, the oftener a list that was read serves several of them."""


def search(
    index: ItemIndex, item_vectors: FloatArray, queries: FloatArray, k: int
) -> tuple[Rows, FloatArray, NDArray[np.bool_]]:
    """(n, k) rows of the greatest inner products found and the products, greatest first, of equal
    ones the lower row; and (n,) flags, false where the probed lists hold fewer than k items, whose
    line means nothing. Pure; the same arrays and batch give the same answer."""
    rows = np.zeros((len(queries), k), dtype=np.int32)
    products = np.zeros((len(queries), k), dtype=np.float32)
    sound = np.zeros(len(queries), dtype=np.bool_)
    for start in range(0, len(queries), _BLOCK):
        part = slice(start, start + _BLOCK)
        plan = _plan(index, queries[part])
        sound[part] = plan.lengths >= k
        if not sound[part].any():
            continue
        lines = _products(plan, index, item_vectors, queries[part])
        columns = top_k(lines, k)
        products[part] = np.take_along_axis(lines, columns, axis=1)
        rows[part] = _rows(plan, index, columns)
    return rows, products, sound


@dataclass(frozen=True, slots=True)
class _Plan:
    """`lists` (n, probes), each row ascending; the products with list `lists[i, j]` stand in line
    i from `begins[i, j]` on, so a line is in the order of the item rows. `lengths` (n,)."""

    lists: NDArray[np.int64]
    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]


def _plan(index: ItemIndex, queries: FloatArray) -> _Plan:
    probes = min(index.probes, len(index.centres))
    near = queries @ index.centres.T
    lists = np.sort(top_k(near, probes), axis=1)
    sizes = (index.starts[lists + 1] - index.starts[lists]).astype(np.int64)
    ends = np.cumsum(sizes, axis=1)
    return _Plan(lists, ends - sizes, ends[:, -1])


def _products(
    plan: _Plan, index: ItemIndex, item_vectors: FloatArray, queries: FloatArray
) -> FloatArray:
    """(n, longest line) inner products, padded with minus infinity; each list is read once."""
    lines = np.full((len(queries), int(plan.lengths.max())), -np.inf, dtype=np.float32)
    flat = plan.lists.ravel()
    order = np.argsort(flat, kind="stable")
    who = (order // plan.lists.shape[1]).tolist()
    begins = plan.begins.ravel()[order].tolist()
    lists, firsts = np.unique(flat[order], return_index=True)
    lasts = [*firsts[1:].tolist(), len(flat)]
    for place, first, last in zip(lists.tolist(), firsts.tolist(), lasts, strict=True):
        block = item_vectors[index.starts[place] : index.starts[place + 1]]
        found = (block @ queries[who[first:last]].T).T  # BLAS takes items as rows more quickly
        for line, pair in enumerate(range(first, last)):
            begin = begins[pair]
            lines[who[pair], begin : begin + len(block)] = found[line]
    return lines


def _rows(plan: _Plan, index: ItemIndex, columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Columns of the lines as item rows."""
    lists = np.empty_like(columns)
    for line, (begins, found) in enumerate(zip(plan.begins, columns, strict=True)):
        lists[line] = np.searchsorted(begins, found, side="right") - 1
    begins = np.take_along_axis(plan.begins, lists, axis=1)
    rows: NDArray[np.int64] = (
        index.starts[np.take_along_axis(plan.lists, lists, axis=1)] + columns - begins
    )
    return rows
