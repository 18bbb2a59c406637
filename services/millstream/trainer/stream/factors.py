"""Incremental matrix factorisation: ISGD (Vinagre, Jorge, Gama, UMAP 2014), with items drawn as
examples of no interest beside each event, without which every score drifts towards one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millstream.ranking.items import ItemTable
from millstream.trainer.stream.baselines import Popularity
from millstream.trainer.stream.rows import Row

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FactorRule:
    size: int = 64
    rate: float = 0.1
    shrinkage: float = 0.01
    negatives: int = 4
    start: float = 0.1
    """Standard deviation of what a new item begins with."""


class Factors:
    """A shopper who is new begins at the mean of the recent items; one without any is asked about
    in vain and gets the popular ones."""

    def __init__(self, table: ItemTable, capacity: int, rule: FactorRule, seed: int) -> None:
        self._table, self._rule = table, rule
        self._rng = np.random.default_rng(seed)
        self._seen: list[int] = []
        self._known = np.zeros(capacity, dtype=np.bool_)
        self._items = np.zeros((capacity, rule.size), dtype=np.float32)
        self._shoppers: dict[str, Vectors] = {}
        self._popular = Popularity(table, capacity, None)

    def scores(self, row: Row) -> NDArray[np.float64]:
        shopper = self._shoppers.get(row.shopper)
        if shopper is None and not row.recent:
            return self._popular.scores(row)
        if shopper is None:
            shopper = self._begin(row)
        products = (self._items @ shopper).astype(np.float64)
        return np.where(self._known, products, -np.inf)

    def learn(self, row: Row) -> None:
        if not row.wanted:
            return
        self._popular.learn(row)
        items = self._table.of(row.wanted)
        for item in items[~self._known[items]].tolist():
            self._items[item] = self._drawn()
            self._known[item] = True
            self._seen.append(item)
        shopper = self._shoppers.get(row.shopper)
        if shopper is None:
            shopper = self._shoppers[row.shopper] = self._begin(row)
        for item in items.tolist():
            self._step(shopper, item)

    def _step(self, shopper: Vectors, item: int) -> None:
        rule = self._rule
        drawn = self._rng.integers(len(self._seen), size=rule.negatives)
        shown = np.array([item, *(self._seen[place] for place in drawn.tolist())])
        labels = np.zeros(len(shown), dtype=np.float32)
        labels[0] = 1.0
        vectors = self._items[shown]
        errors = labels - vectors @ shopper
        rate, shrinkage = np.float32(rule.rate), np.float32(rule.shrinkage)
        moved = rate * (errors @ vectors - shrinkage * shopper)
        self._items[shown] += rate * (errors[:, None] * shopper - shrinkage * vectors)
        shopper += moved

    def _begin(self, row: Row) -> Vectors:
        recent = self._table.of(touch.item_id for touch in row.recent)
        known = recent[self._known[recent]]
        if len(known) == 0:
            return self._drawn()
        return np.asarray(self._items[known].mean(axis=0), dtype=np.float32)

    def _drawn(self) -> Vectors:
        scale = self._rule.start
        return self._rng.normal(0.0, scale, self._rule.size).astype(np.float32)
