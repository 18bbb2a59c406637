"""A shop in memory that learns row by row: the production sums of ranking/replayed_shop.py, with
the popular items kept at hand so that asking after every event stays cheap."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import nsmallest

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.deriving import USUAL, Deriving
from millstream.features import covisitation, popularity
from millstream.features.covisitation import Shares
from millstream.features.forward_decay import log_add
from millstream.ranking.shop import Weighted
from millstream.trainer.stream.rows import Row

_POPULAR = 200
_NEWEST = 50


class LearningShop:
    """Implements `Shop`. Without a catalogue: nothing is hidden, sold out or of a category, and an
    item is as new as its first event."""

    def __init__(self, deriving: Deriving = USUAL) -> None:
        self._deriving = deriving
        self._neighbours: dict[str, dict[str, float]] = {}
        self._popularity: dict[str, float] = {}
        self._top: dict[str, float] = {}
        self._newest: deque[str] = deque(maxlen=_NEWEST)
        self._shares: dict[str, Shares] = {}
        self._popular: Weighted | None = None

    def learn(self, row: Row) -> None:
        for item, other, weight in covisitation.writes(row.event, row.recent, self._deriving):
            _add(self._neighbours.setdefault(item, {}), other, weight)
            self._shares.pop(item, None)
        for item, weight in popularity.writes(row.event, self._deriving):
            if item not in self._popularity:
                self._newest.appendleft(item)
            _add(self._popularity, item, weight)
            self._raise(item)

    def _raise(self, item: str) -> None:
        """Sums only grow, so the heaviest change by the one that grew, if at all."""
        weight, top = self._popularity[item], self._top
        if item not in top and len(top) == _POPULAR:
            least = min(top, key=top.__getitem__)
            if top[least] >= weight:
                return
            del top[least]
        top[item] = weight
        self._popular = None

    def copy(self) -> LearningShop:
        """Learns on its own from here."""
        other = LearningShop(self._deriving)
        other._neighbours = {item: dict(near) for item, near in self._neighbours.items()}
        other._popularity, other._top = dict(self._popularity), dict(self._top)
        other._newest = self._newest.copy()
        return other

    def shares(self, item_id: str) -> Shares:
        found = self._shares.get(item_id)
        if found is None:
            near = _heaviest(self._neighbours.get(item_id, {}), covisitation.LEADING)
            found = self._shares[item_id] = covisitation.shares_of(near)
        return found

    def popular(self) -> Weighted:
        if self._popular is None:
            self._popular = _heaviest(self._top, _POPULAR)
        return self._popular

    def newest(self) -> Sequence[str]:
        return tuple(self._newest)

    def edition(self) -> int:
        return 0

    def days_of_stock(self, _item_id: str) -> float | None:
        return None

    def reviews(self, _item_id: str) -> None:
        return None

    def item(self, _item_id: str) -> CatalogueItem | None:
        return None


def _add(sums: dict[str, float], key: str, weight: float) -> None:
    sums[key] = log_add(sums[key], weight) if key in sums else weight


def _heaviest(sums: dict[str, float], n: int) -> Weighted:
    return nsmallest(n, sums.items(), key=lambda pair: (-pair[1], pair[0]))
