"""An item's popularity that fades by half in 30 days. Derived."""

from collections.abc import Iterator

from millstream.domain.events import Event
from millstream.features.forward_decay import HALF_LIFE_MS, log_weight
from millstream.features.weights import EVENT_WEIGHT

BOUND = 5_000
"""Items kept per tenant; the rest is not popular."""


def writes(event: Event) -> Iterator[tuple[str, float]]:
    """(item, log2 weight to add) for each line."""
    weight = EVENT_WEIGHT.get(event.type)
    if weight is None:
        return
    added = log_weight(weight, event.time_ms, HALF_LIFE_MS)
    for line in event.items:
        yield line.item_id, added
