"""A shop in memory, fed event by event in log order: what Redis derives, for evaluation offline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import nsmallest

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.deriving import USUAL, Deriving
from millstream.domain.events import Event, shopper_of
from millstream.features import covisitation, popularity
from millstream.features.covisitation import Shares
from millstream.features.forward_decay import log_add
from millstream.features.recent_items import RECENT_ITEMS
from millstream.features.replayed import ItemNumbers, ReplayedShopper
from millstream.features.sign_ins import SIGN_INS
from millstream.features.state import Visit
from millstream.ranking.shop import Shopper, Weighted


class ReplayedShop:
    """Implements `Shop` for one tenant; `learn` takes accepted events only."""

    def __init__(
        self,
        catalogue: Mapping[str, CatalogueItem] | None = None,
        deriving: Deriving = USUAL,
    ) -> None:
        self._catalogue = catalogue or {}
        self._deriving = deriving
        numbers = ItemNumbers()
        self._shoppers = defaultdict[str, ReplayedShopper](lambda: ReplayedShopper(numbers))
        self._neighbours: dict[str, dict[str, float]] = defaultdict(dict)
        self._popular: dict[str, float] = {}
        self._sorted: dict[str, Weighted] = {}
        self._shares: dict[str, Shares] = {}
        self._newest: list[str] = []

    def learn(self, event: Event) -> None:
        shopper = self._shoppers[event.shopper]
        before = shopper.state().read(RECENT_ITEMS, event.time_ms)
        for item, other, weight in covisitation.writes(event, before, self._deriving):
            _add(self._neighbours[item], other, weight)
            self._sorted.pop(item, None)
            self._shares.pop(item, None)
        for item, weight in popularity.writes(event, self._deriving):
            _add(self._popular, item, weight)
        self._sorted.pop("", None)
        shopper.apply(event)

    def shopper(self, tenant: str, name: str, now_ms: int) -> Shopper:
        state = self._shoppers[name].state()
        visits = [
            Visit(self._shoppers[shopper_of(None, link.anonymous_id)].state(), link.time_ms)
            for link in state.read(SIGN_INS, now_ms)
        ]
        return Shopper.from_state(tenant, name, state, now_ms, visits)

    def neighbours(self, item_id: str) -> Weighted:
        if item_id not in self._sorted:
            self._sorted[item_id] = _heaviest(self._neighbours.get(item_id, {}), covisitation.BOUND)
        return self._sorted[item_id]

    def shares(self, item_id: str) -> Shares:
        if item_id not in self._shares:
            self._shares[item_id] = covisitation.shares_of(self.neighbours(item_id))
        return self._shares[item_id]

    def popular(self) -> Weighted:
        if "" not in self._sorted:
            self._sorted[""] = _heaviest(self._popular, 500)
        return self._sorted[""]

    def newest(self) -> Sequence[str]:
        if not self._newest:
            order = sorted(self._catalogue.values(), key=lambda i: (i.added_at, i.item_id))
            self._newest = [item.item_id for item in reversed(order)]
        return self._newest

    def edition(self) -> int:
        return 0

    def days_of_stock(self, _item_id: str) -> float | None:
        return None

    def reviews(self, _item_id: str) -> None:
        return None

    def item(self, item_id: str) -> CatalogueItem | None:
        return self._catalogue.get(item_id)


def _add(sums: dict[str, float], key: str, weight: float) -> None:
    sums[key] = log_add(sums[key], weight) if key in sums else weight


def _heaviest(sums: Mapping[str, float], n: int) -> Weighted:
    return nsmallest(n, sums.items(), key=lambda pair: (-pair[1], pair[0]))
