"""An item's popularity that fades by half in so many days. Derived."""

from collections.abc import Iterator

from millstream.domain.deriving import USUAL, Deriving
from millstream.domain.events import Event
from millstream.features.forward_decay import log_weight

BOUND = 5_000
"""Items kept per tenant; the rest is not popular."""


def writes(event: Event, deriving: Deriving = USUAL) -> Iterator[tuple[str, float]]:
    """(item, log2 weight to add) for each line."""
    weight = deriving.popularity(event.type, len(event.items))
    if weight is None:
        return
    added = log_weight(weight, event.time_ms, deriving.popular_half_life_ms)
    for line in event.items:
        yield line.item_id, added
