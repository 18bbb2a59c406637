"""What a stream recommender is measured against. Each learns every event at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from millstream.domain.deriving import EVENT_WEIGHT
from millstream.ranking.items import ItemTable
from millstream.trainer.stream.replay import is_asked
from millstream.trainer.stream.rows import Row
from millstream.trainer.stream.scores import NOWHERE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_DAY_MS = 86_400_000


class Baseline(Protocol):
    """Items are numbers of a common table, below `capacity`."""

    def scores(self, row: Row) -> Floats:
        """(capacity,): the greater, the earlier; -inf for an item that has not been seen."""
        ...

    def learn(self, row: Row) -> None: ...


class Popularity:
    """Events of an item, weighed by type. With `half_life_days` they fade."""

    def __init__(self, table: ItemTable, capacity: int, half_life_days: float | None) -> None:
        self._table, self._half_life_days = table, half_life_days
        self._sums = np.full(capacity, -np.inf)
        self._from_ms: int | None = None

    def scores(self, _row: Row) -> Floats:
        return self._sums

    def learn(self, row: Row) -> None:
        """Fading is growth of what comes later: doubles hold a thousand half-lives."""
        if not row.wanted:
            return
        self._from_ms = row.time_ms if self._from_ms is None else self._from_ms
        weight = EVENT_WEIGHT[row.event.type]
        if self._half_life_days is not None:
            weight *= 2.0 ** ((row.time_ms - self._from_ms) / _DAY_MS / self._half_life_days)
        items = self._table.of(row.wanted)
        self._sums[items] = np.maximum(self._sums[items], 0.0) + weight


class RecentItems:
    """The shopper's own items, newest first, and nothing else: how far repeats go alone."""

    def __init__(self, table: ItemTable, capacity: int) -> None:
        self._table, self._capacity = table, capacity

    def scores(self, row: Row) -> Floats:
        found = np.full(self._capacity, -np.inf)
        items = self._table.of(touch.item_id for touch in row.recent)
        found[items] = -np.arange(len(items), dtype=np.float64)
        return found

    def learn(self, row: Row) -> None:
        """It needs what the row says of its shopper, and no more."""


class Covisitation:
    """count(a, b) / sqrt(count(a) count(b)) of items touched in one visit, summed over the recent
    items, the newest heaviest; popular items for a shopper without any. Nothing fades."""

    def __init__(self, table: ItemTable, capacity: int, visit_gap_ms: int) -> None:
        self._table, self._visit_gap_ms = table, visit_gap_ms
        self._together: defaultdict[int, defaultdict[int, int]] = defaultdict(
            lambda: defaultdict(int)
        )
        self._counts = np.zeros(capacity)
        self._popular = Popularity(table, capacity, None)

    def scores(self, row: Row) -> Floats:
        found = np.where(self._counts > 0, 0.0, -np.inf)
        for place, item in enumerate(self._table.of(t.item_id for t in row.recent).tolist()):
            near = self._together.get(item)
            if near:
                others = np.fromiter(near.keys(), np.int64, len(near))
                counts = np.fromiter(near.values(), np.float64, len(near))
                norm = np.sqrt(self._counts[item] * self._counts[others])
                found[others] += 0.5 ** (place / 10) * counts / norm
        return found if row.recent else self._popular.scores(row)

    def learn(self, row: Row) -> None:
        self._popular.learn(row)
        items = self._table.of(row.wanted).tolist()
        self._counts[items] += 1
        since = row.time_ms - self._visit_gap_ms
        visit = [t.item_id for t in row.recent if t.time_ms >= since]
        earlier = self._table.of(visit).tolist()
        for place, item in enumerate(items):
            for other in (*earlier, *items[:place]):
                if other != item:
                    self._together[item][other] += 1
                    self._together[other][item] += 1


def asked_ranks(baseline: Baseline, rows: Sequence[Row], table: ItemTable, least: int) -> Ints:
    """Test, then train, row by row: the ranks of all that the asked rows want, one after the
    other. Ties count against us."""
    found: list[Ints] = []
    for row in rows:
        if is_asked(row, least):
            scores = baseline.scores(row)
            own = scores[table.of(row.wanted)]
            ahead = (scores[None, :] >= own[:, None]).sum(axis=1)
            found.append(np.where(np.isfinite(own), ahead, NOWHERE))
        baseline.learn(row)
    return np.concatenate(found).astype(np.int64) if found else np.zeros(0, dtype=np.int64)
