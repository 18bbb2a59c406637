"""Visits that grow event by event, and the ones most like a shopper's recent items: the rule of
model/sessions/session_knn.py over a log that never stands still."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millstream.model.sessions.ragged import places
from millstream.model.sessions.session_knn import KnnRule
from millstream.model.sessions.session_log import SessionLog, offsets

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class VisitRule:
    """A visit ends with a pause of `gap_ms`, or at `longest` touches."""

    gap_ms: int = 30 * 60_000
    longest: int = 100


class Visits:
    """Items are numbers; visits are numbered as they begin."""

    def __init__(self, rule: VisitRule) -> None:
        self._rule = rule
        self._items: list[array[int]] = []
        self._of_item: dict[int, array[int]] = {}
        self._distinct: list[int] = []
        self._open: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def learn(self, shopper: str, time_ms: int, items: Ints) -> None:
        visit = self.current(shopper, time_ms)
        if visit is None:
            visit = len(self._items)
            self._items.append(array("q"))
            self._distinct.append(0)
        self._open[shopper] = visit, time_ms
        touched = self._items[visit]
        for item in items.tolist():
            if item not in touched:
                self._of_item.setdefault(item, array("q")).append(visit)
                self._distinct[visit] += 1
            touched.append(item)

    def current(self, shopper: str, time_ms: int) -> int | None:
        """The visit that the shopper is in; None where the next touch begins one."""
        visit, last_ms = self._open.get(shopper, (None, 0))
        if visit is None or time_ms - last_ms > self._rule.gap_ms:
            return None
        return visit if len(self._items[visit]) < self._rule.longest else None

    def copy(self) -> Visits:
        other = Visits(self._rule)
        other._items = [array("q", items) for items in self._items]
        other._of_item = {item: array("q", found) for item, found in self._of_item.items()}
        other._distinct, other._open = list(self._distinct), dict(self._open)
        return other

    def log(self) -> SessionLog:
        """All of them, for choosing a rule."""
        lengths = np.array([len(items) for items in self._items], dtype=np.int64)
        return SessionLog(np.frombuffer(b"".join(self._items), np.int64), offsets(lengths))

    def with_item(self, item: int, newest: int) -> Ints:
        """The `newest` visits that touched it."""
        found = self._of_item.get(item)
        return np.frombuffer(found[-newest:], np.int64) if found else np.zeros(0, np.int64)

    def touched_by(self, item: int) -> int:
        return len(self._of_item.get(item, ()))

    def items_of(self, visits: Ints) -> tuple[Ints, Ints]:
        """Their touches, one visit after the other, and where each begins and the last one ends."""
        parts = [self._items[visit] for visit in visits.tolist()]
        starts = offsets(np.array([len(part) for part in parts], dtype=np.int64))
        return np.frombuffer(b"".join(parts), np.int64), starts

    def distinct(self, visits: Ints) -> Ints:
        return np.array([self._distinct[visit] for visit in visits.tolist()], dtype=np.int64)


def votes(visits: Visits, query: Ints, own: int | None, rule: KnnRule) -> tuple[Ints, Floats]:
    """Distinct items and what similar visits say for them, in the order in which they are met.

    `query`: recent items, newest first, each once. `own`: the visit that asks; it does not count
    among its neighbours."""
    near, similarity, matched = _nearest(visits, query[: rule.query_touches], own, rule)
    if len(near) == 0:
        return near, similarity
    items, starts = visits.items_of(near)
    lengths = np.diff(starts)
    flat, owner = places(starts[:-1], lengths)
    place = flat - starts[owner]
    same = items == matched[owner]
    last = np.maximum.reduceat(np.where(same, place, -1), starts[:-1])
    weight = _by_step(place - last[owner], rule)
    distinct, first, which = np.unique(items, return_index=True, return_inverse=True)
    sums = np.bincount(which, similarity[owner] * weight)
    order = np.argsort(first)
    return distinct[order], sums[order].astype(np.float64)


def _by_step(step: Ints, rule: KnnRule) -> Floats:
    """What a touch weighs that stands so many places behind the matched item."""
    away = np.abs(step) - 1.0
    weight = np.where(step > 0, rule.ahead**away, rule.behind_weight * rule.behind**away)
    weight[step == 0] = rule.same_weight
    return weight


def _nearest(
    visits: Visits, query: Ints, own: int | None, rule: KnnRule
) -> tuple[Ints, Floats, Ints]:
    """(m,) visits, their similarity, and of each the newest query item that it holds."""
    found = [visits.with_item(item, rule.sessions_an_item) for item in query.tolist()]
    counts = np.array([visits.touched_by(item) for item in query.tolist()], dtype=np.int64)
    idf = np.log(max(1, len(visits)) / np.maximum(counts, 1)) ** rule.idf_power
    weight = np.exp(-np.arange(len(query)) / rule.age_scale) * idf
    lengths = np.array([len(each) for each in found], dtype=np.int64)
    every = np.concatenate([np.zeros(0, np.int64), *found])
    by = np.repeat(np.arange(len(query)), lengths)
    if own is not None:
        other = every != own
        every, by = every[other], by[other]
    near, first, which = np.unique(every, return_index=True, return_inverse=True)
    matched = np.bincount(which, weight[by], minlength=len(near))
    age = (len(visits) - near) / max(1, len(visits))
    similarity = matched**rule.sharpness / visits.distinct(near) ** rule.length_power
    similarity *= np.exp(-age / rule.recency_scale)
    best = np.argsort(-similarity, kind="stable")[: rule.neighbours]
    return near[best], similarity[best], query[by[first[best]]]
