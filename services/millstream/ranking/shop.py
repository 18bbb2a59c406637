"""What ranking is given: shoppers, and a shop that answers from memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.reviews import ReviewCounts
from millstream.features.covisitation import Shares
from millstream.features.recent_items import BOUGHT_ITEMS, BOUND, RECENT_ITEMS, Touch
from millstream.features.state import ShopperState, Visit
from millstream.features.writes import UserFeature

Weighted = Sequence[tuple[str, float]]
"""(item, log2 weight), the heaviest first."""


@dataclass(frozen=True, slots=True)
class Shopper:
    tenant: str
    name: str
    recent: tuple[Touch, ...] = ()
    bought: frozenset[str] = frozenset()

    @classmethod
    def from_state(
        cls,
        tenant: str,
        name: str,
        state: ShopperState,
        now_ms: int,
        visits: Sequence[Visit] = (),
    ) -> Shopper:
        """What was touched in `visits` is as the shopper's own."""
        recent = _touched(RECENT_ITEMS, state, now_ms, visits)
        bought = _touched(BOUGHT_ITEMS, state, now_ms, visits)
        return cls(tenant, name, recent, frozenset(touch.item_id for touch in bought))


def _touched(
    feature: UserFeature[tuple[Touch, ...]],
    state: ShopperState,
    now_ms: int,
    visits: Sequence[Visit],
) -> tuple[Touch, ...]:
    """Each item once, the newest BOUND."""
    own = state.read(feature, now_ms)
    others = [
        touch
        for visit in visits
        for touch in visit.state.read(feature, now_ms)
        if touch.time_ms <= visit.until_ms
    ]
    if not others:
        return own
    newest: dict[str, Touch] = {}
    for touch in sorted((*own, *others), key=lambda touch: -touch.time_ms):
        newest.setdefault(touch.item_id, touch)
    return tuple(newest.values())[:BOUND]


class Shop(Protocol):
    """The derived state of one tenant. Never blocks."""

    def shares(self, item_id: str) -> Shares:
        """The same object until they change."""
        ...

    def popular(self) -> Weighted: ...

    def newest(self) -> Sequence[str]:
        """Item ids of the catalogue, the latest added first."""
        ...

    def edition(self) -> int:
        """Another number once `item`, `days_of_stock` or `reviews` may answer otherwise."""
        ...

    def days_of_stock(self, item_id: str) -> float | None:
        """How long the stock lasts at what is expected to sell; None where that is not known."""
        ...

    def reviews(self, item_id: str) -> ReviewCounts | None:
        """None for an item that nobody has reviewed."""
        ...

    def item(self, item_id: str) -> CatalogueItem | None:
        """None for an item that the catalogue does not have."""
        ...
