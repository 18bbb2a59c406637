"""Fits the two item-to-item matrices: decayed co-visitation and a truncated linear model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millstream.model.sessions.item_item import ItemItem, sparse_rows
from millstream.model.sessions.ragged import Floats, Ints, summed
from millstream.model.sessions.session_log import SessionLog

_COLUMNS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class PairRule:
    """Of touches at most `window` apart, those next to each other weigh 1, each step further
    e ** (-1 / scale) of it. `behind`: the weight of an item that came before. `same`: of an
    item's transition to itself, for each touch. A session is 1 / e lighter after `recency_scale` of
    the log. A row is divided by its sum ** `damping`. When asked: touches after which an item of
    the session weighs 1 / e."""

    window: int = 8
    scale: float = 2.0
    behind: float = 0.7
    same: float = 1.5
    recency_scale: float = 2.0
    damping: float = 0.5
    age_scale: float = 2.0


@dataclass(frozen=True, slots=True)
class LinearRule:
    """`ridge` in touches; `features`: the most that one item is predicted from."""

    pairs: PairRule = PairRule(window=5, same=0.7)
    ridge: float = 20.0
    features: int = 64


def covisitation(log: SessionLog, items: int, rule: PairRule) -> ItemItem:
    """Summed pair weights."""
    keys, weights = pairs(log, items, rule)
    rows = keys // items
    sums = np.bincount(rows, weights, minlength=items)
    damped = sparse_rows(keys, weights / sums[rows] ** rule.damping, items)
    return ItemItem(damped, rule.age_scale)


def linear(log: SessionLog, items: int, rule: LinearRule) -> ItemItem:
    """For each item the ridge regression of its touches on those around it: SLIST (Choi et al.,
    WWW 2021) with the few `features` seen with it most in place of all, so that the system of
    equations is small whatever the catalogue."""
    keys, weights = pairs(log, items, rule.pairs)
    gram_keys, gram = _gram(log, items, rule.pairs)
    features, shared = _strongest(keys, weights, items, rule.features)
    fitted = np.zeros(shared.shape)
    counts = (features >= 0).sum(axis=1)
    order = np.argsort(counts, kind="stable")[np.searchsorted(np.sort(counts), 1) :]
    for first in range(0, len(order), _COLUMNS_AT_ONCE):
        block = order[first : first + _COLUMNS_AT_ONCE]
        width = int(counts[block].max())
        among = _among(features[block, :width], gram_keys, gram, items)
        among[:, np.arange(width), np.arange(width)] += rule.ridge
        fitted[block, :width] = np.linalg.solve(among, shared[block, :width, None])[:, :, 0]
    column, place = np.nonzero(features >= 0)
    cells = features[column, place] * items + column
    ordered = np.argsort(cells)
    rows = sparse_rows(cells[ordered], fitted[column, place][ordered], items)
    return ItemItem(rows, rule.pairs.age_scale)


def pairs(log: SessionLog, items: int, rule: PairRule) -> tuple[Ints, Floats]:
    """Cells row * items + column and their weights: row touched, column around it."""
    session, weight = log.owners(), session_weights(log, rule.recency_scale)
    cells, weights = [log.items * items + log.items], [rule.same * weight[session]]
    for step in range(1, rule.window + 1):
        inside = session[:-step] == session[step:]
        before, after = log.items[:-step][inside], log.items[step:][inside]
        faded = np.exp(-(step - 1) / rule.scale) * weight[session[step:][inside]]
        cells += [before * items + after, after * items + before]
        weights += [faded, rule.behind * faded]
    return summed(np.concatenate(cells), np.concatenate(weights))


def _gram(log: SessionLog, items: int, rule: PairRule) -> tuple[Ints, Floats]:
    """X'X of the rows "what came up to `window` before a touch", faded with distance."""
    session, weight = log.owners(), session_weights(log, rule.recency_scale)
    cells, weights = [], []
    for near in range(1, rule.window + 1):
        for far in range(near, rule.window + 1):
            at = np.flatnonzero(session[:-far] == session[far:]) + far
            faded = np.exp(-(near + far - 2) / rule.scale) * weight[session[at]]
            one, other = log.items[at - near], log.items[at - far]
            cells.append(one * items + other)
            weights.append(faded)
            if near != far:
                cells.append(other * items + one)
                weights.append(faded)
    return summed(np.concatenate(cells), np.concatenate(weights))


def session_weights(log: SessionLog, scale: float) -> Floats:
    """(sessions,): 1 for the newest, 1/e after `scale` of the log's length."""
    return np.exp(-(len(log) - np.arange(len(log))) / (len(log) * scale))


def _strongest(keys: Ints, weights: Floats, items: int, count: int) -> tuple[Ints, Floats]:
    """(items, count) rows that weigh most in each column, -1 where there are no more; weights."""
    row, column = np.divmod(keys, items)
    order = np.lexsort((-weights, column))
    row, column, weights = row[order], column[order], weights[order]
    place = np.arange(len(column)) - np.searchsorted(column, column)
    kept = place < count
    rows = np.full((items, count), -1, dtype=np.int64)
    values = np.zeros((items, count))
    rows[column[kept], place[kept]] = row[kept]
    values[column[kept], place[kept]] = weights[kept]
    return rows, values


def _among(features: Ints, keys: Ints, gram: Floats, items: int) -> NDArray[np.float64]:
    """(b, w, w): the gram matrix of each line's features; zeros where a line has no more."""
    cells = features[:, :, None] * items + features[:, None, :]
    at = np.minimum(np.searchsorted(keys, cells.ravel()), len(keys) - 1).reshape(cells.shape)
    there = (features >= 0)[:, :, None] & (features >= 0)[:, None, :] & (keys[at] == cells)
    return np.where(there, gram[at], 0.0)
