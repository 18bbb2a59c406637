"""How events become what is derived across shoppers: popularity, and which items go together."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from millstream.domain.events import EventType

DAY_MS = 24 * 3_600_000

EVENT_WEIGHT: Mapping[EventType, float] = {
    EventType.VIEW_ITEM: 1.0,
    EventType.SELECT_ITEM: 1.0,
    EventType.ADD_TO_WISHLIST: 3.0,
    EventType.ADD_TO_CART: 4.0,
    EventType.BEGIN_CHECKOUT: 5.0,
    EventType.PURCHASE: 10.0,
}
"""How much an event of a type says about interest, where a deployment does not say it otherwise:
the proposal of GA4-minded shops, a purchase says ten times what a look says. A type that is not
named here says nothing of interest."""


class Deriving(Struct, frozen=True):
    """`weights`: above 0; a type that is not named feeds no derived feature. Sums that were made by
    one half-life cannot be added to by another: their weights differ by thousands of halvings.
    `basket_sharing`: from 0, where an event says as much for each of its items whatever their
    number, to 1, where they share what a single item would get."""

    weights: Mapping[EventType, float] = field(default_factory=lambda: EVENT_WEIGHT)
    popular_half_life_ms: int = 30 * DAY_MS
    together_half_life_ms: int = 30 * DAY_MS
    basket_sharing: float = 0.0

    def popularity(self, kind: EventType, lines: int) -> float | None:
        """What an event of so many lines adds to the popularity of each; None: nothing."""
        weight = self.weights.get(kind)
        return None if weight is None else weight * max(1, lines) ** -self.basket_sharing


USUAL = Deriving()
