"""How much an event of a type says about interest, for everything that is derived.

The proposal of GA4-minded shops: a purchase says ten times what a look says."""

from millstream.domain.events import EventType

EVENT_WEIGHT: dict[EventType, float] = {
    EventType.VIEW_ITEM: 1.0,
    EventType.SELECT_ITEM: 1.0,
    EventType.ADD_TO_WISHLIST: 3.0,
    EventType.ADD_TO_CART: 4.0,
    EventType.BEGIN_CHECKOUT: 5.0,
    EventType.PURCHASE: 10.0,
}
"""A type that is not named here feeds no derived feature."""
