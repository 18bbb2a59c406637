"""The order in which recorded shoppers act again when one of them has to wait for a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.events import Event

Step = tuple[tuple[CatalogueItem, ...], Event]
"""An event, after the catalogue entries of items that nobody has named before it."""


class ReadAhead:
    """Takes events in time order, but lets a shopper who must wait be overtaken by others.

    A shopper's own events keep their order; nobody is overtaken by more than `reach` events.
    A catalogue entry goes with the first event sent that names its item, so an overtaking
    event does not tell the recommender of goods before their time."""

    def __init__(self, source: Iterator[CatalogueItem | Event], reach: int) -> None:
        self._source = source
        self._reach = reach
        self._held: list[Event] = []
        self._untold: dict[str, CatalogueItem] = {}
        self._drained = False

    @property
    def exhausted(self) -> bool:
        return self._drained and not self._held

    def take(self, may_go: Callable[[Event], bool]) -> Step | None:
        """The first event that may go and whose shopper has no earlier one held, or None."""
        self._fill()
        blocked: set[str] = set()
        for index, event in enumerate(self._held):
            if event.shopper in blocked:
                continue
            if may_go(event):
                del self._held[index]
                return self._entries(event), event
            blocked.add(event.shopper)
        return None

    def _fill(self) -> None:
        while not self._drained and len(self._held) < self._reach:
            match next(self._source, None):
                case None:
                    self._drained = True
                case CatalogueItem() as item:
                    self._untold[item.item_id] = item
                case event:
                    self._held.append(event)

    def _entries(self, event: Event) -> tuple[CatalogueItem, ...]:
        found = (self._untold.pop(line.item_id, None) for line in event.items)
        return tuple(item for item in found if item is not None)
