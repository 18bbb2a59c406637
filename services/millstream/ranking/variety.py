"""Maximal marginal relevance: each place goes to the item that is best and least like those before
it (Carbonell and Goldstein, The use of MMR, SIGIR 1998)."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from millstream.ranking.batch import Batch
from millstream.ranking.candidates.source import Context, Taste
from millstream.ranking.items import NOTHING, Codes, ItemTable
from millstream.ranking.score import Scored
from millstream.ranking.settings import RankingSettings

POOL = 3
"""Times as many items as a list has may stand in it."""
_LINES = 500
"""At once: likeness takes POOL x POOL numbers a line and place."""

Floats = NDArray[np.float32]


def pooled(settings: RankingSettings) -> RankingSettings:
    """What policy is asked with, so that `vary` has something to choose from."""
    if not settings.variety:
        return settings
    return msgspec.structs.replace(settings, list_length=POOL * settings.list_length)


def vary(columns: Codes, scored: Scored, batch: Batch, context: Context) -> Codes:
    """(n, list_length) of the `columns` (n, pool) that policy keeps of `scored`, in a new order;
    the very same without `variety`."""
    settings = context.settings
    if not settings.variety:
        return columns
    blocks = [
        _vary(columns[start : start + _LINES], scored, start, batch, context)
        for start in range(0, len(columns), _LINES)
    ]
    return np.concatenate([columns[:0, : settings.list_length], *blocks])


def _vary(columns: Codes, scored: Scored, start: int, batch: Batch, context: Context) -> Codes:
    lines = np.arange(start, start + len(columns))[:, None]
    there = columns != NOTHING
    items = np.where(there, scored.items[lines, columns], NOTHING)
    worth, taken = _worth(np.where(there, scored.scores[lines, columns], -np.inf)), ~there
    alike = likeness(items, batch.table, context)
    share, every = context.settings.variety, np.arange(len(columns))
    nearest = np.zeros(columns.shape, dtype=np.float32)
    chosen = np.full((len(columns), context.settings.list_length), NOTHING, dtype=np.int64)
    for place in range(min(chosen.shape[1], columns.shape[1])):
        value = np.where(taken, -np.inf, (1 - share) * worth - share * nearest)
        best = value.argmax(axis=1)
        chosen[:, place] = np.where(taken[every, best], NOTHING, columns[every, best])
        taken[every, best] = True
        nearest = np.maximum(nearest, alike[every, best])
    return chosen


def _worth(scores: NDArray[np.float64]) -> Floats:
    """(n, w) from 1 for the best of a line to 0 for the worst, and for what is not finite."""
    finite = np.isfinite(scores)
    low = scores.min(axis=1, where=finite, initial=np.inf)[:, None]
    high = scores.max(axis=1, where=finite, initial=-np.inf)[:, None]
    span = np.where(high > low, high - low, 1.0)
    with np.errstate(invalid="ignore"):
        worth = np.where(high > low, (scores - low) / span, 1.0)
    return np.where(finite, worth, 0.0).astype(np.float32)


def likeness(items: Codes, table: ItemTable, context: Context) -> Floats:
    """(n, w, w), from 0 to 1: the cosine of two items in the model's space; of items that it does
    not know, 1 for two of one category."""
    category = table.facts(items, context.shop).category[items]
    same = (category[:, :, None] == category[:, None, :]) & (category != NOTHING)[:, :, None]
    if context.taste is None:
        return np.asarray(same, dtype=np.float32)
    vectors, known = _directions(items, table, context.taste)
    cosines = np.maximum(vectors @ vectors.transpose(0, 2, 1), np.float32(0))
    both = known[:, :, None] & known[:, None, :]
    return np.asarray(np.where(both, cosines, same), dtype=np.float32)


def _directions(items: Codes, table: ItemTable, taste: Taste) -> tuple[Floats, NDArray[np.bool_]]:
    """(n, w, d) unit vectors and (n, w) whether the model has one."""
    codes, which = np.unique(items, return_inverse=True)
    which = which.reshape(items.shape)
    ids = [table.ids[code] if code != NOTHING else "" for code in codes.tolist()]
    rows = taste.model.items.rows(ids)
    found = (rows >= 0) & (codes != NOTHING)
    vectors = np.zeros((len(codes), taste.vectors.shape[1]), dtype=np.float32)
    vectors[found] = taste.model.item_vectors(rows[found])
    lengths = np.linalg.norm(vectors, axis=1)
    vectors /= np.where(lengths > 0, lengths, 1)[:, None]
    return vectors[which], (lengths > 0)[which]
