"""A batch of shoppers as numbers: what ranking does with it is arithmetic on arrays that hold all
of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np

from millstream.domain.events import EventType
from millstream.features.ragged import places_within
from millstream.ranking.items import Codes, ItemTable, Mask
from millstream.ranking.shop import Shopper

LOOKED_AT, IN_CART, BOUGHT = range(3)
KINDS = 3
_KIND = {
    EventType.ADD_TO_CART: IN_CART,
    EventType.BEGIN_CHECKOUT: IN_CART,
    EventType.PURCHASE: BOUGHT,
}


class Touches(NamedTuple):
    """Every recent item of every shopper, shopper by shopper, newest first; all (m,) int64.
    `places` counts from 0 within a shopper."""

    shoppers: Codes
    items: Codes
    times_ms: Codes
    places: Codes


@dataclass(frozen=True)
class Batch:
    shoppers: Sequence[Shopper]
    table: ItemTable

    def __len__(self) -> int:
        return len(self.shoppers)

    @cached_property
    def touches(self) -> Touches:
        counts = np.array([len(shopper.recent) for shopper in self.shoppers], dtype=np.int64)
        touched = list(chain.from_iterable(shopper.recent for shopper in self.shoppers))
        times_ms = np.array([touch.time_ms for touch in touched], dtype=np.int64)
        items = self.table.of([touch.item_id for touch in touched])
        return Touches(self._owners(counts), items, times_ms, places_within(counts))

    @cached_property
    def touch_kinds(self) -> Codes:
        """(m,) of each touch: LOOKED_AT, IN_CART or BOUGHT, which says most of what comes next."""
        kinds = [
            BOUGHT if touch.item_id in shopper.bought else _KIND.get(touch.type, LOOKED_AT)
            for shopper in self.shoppers
            for touch in shopper.recent
        ]
        return np.array(kinds, dtype=np.int64)

    def touched(self, items: Codes, shoppers: Codes) -> Mask:
        """(n, w), line i: which of the codes `items[i]` shopper `shoppers[i]` touched lately."""
        return self._among(items, shoppers, self.touches.shoppers, self.touches.items)

    def bought(self, items: Codes, shoppers: Codes) -> Mask:
        """(n, w), line i: which of the codes `items[i]` shopper `shoppers[i]` bought."""
        return self._among(items, shoppers, *self._purchases)

    @cached_property
    def _purchases(self) -> tuple[Codes, Codes]:
        counts = np.array([len(shopper.bought) for shopper in self.shoppers], dtype=np.int64)
        items = chain.from_iterable(shopper.bought for shopper in self.shoppers)
        return self._owners(counts), self.table.of(items)

    def _owners(self, counts: Codes) -> Codes:
        return np.repeat(np.arange(len(self), dtype=np.int64), counts)

    def _among(self, items: Codes, shoppers: Codes, owners: Codes, owned: Codes) -> Mask:
        width = len(self.table) + 1
        return np.isin(shoppers[:, None] * width + items, owners * width + owned)
