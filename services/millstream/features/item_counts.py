"""An item's exact counts: of item lines per event type, never of quantity."""

from __future__ import annotations

from dataclasses import dataclass

from millstream.domain.events import BROWSE, TYPE_ORDER, EventType


@dataclass(frozen=True, slots=True)
class ItemCounts:
    by_type: dict[EventType, int]

    @property
    def browse_count(self) -> int:
        return sum(self.by_type.get(kind, 0) for kind in BROWSE)

    @property
    def purchase_count(self) -> int:
        return self.by_type.get(EventType.PURCHASE, 0)


def from_field(field: str) -> tuple[EventType, str]:
    """A field of a slot's partial counts, as the Redis function names it: <type index>|<item>."""
    index, _, item_id = field.partition("|")
    return TYPE_ORDER[int(index)], item_id
