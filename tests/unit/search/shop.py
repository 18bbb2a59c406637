"""A small shop to search in."""

from __future__ import annotations

from typing import Any

from tests.builders import NOON_MS

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import as_datetime
from millstream.search.index import Hit, SearchIndex
from millstream.search.meaning import hashed

TITLES = {
    "lan1": "White metal lantern",
    "lan2": "Hanging heart lantern",
    "mug1": "Red retrospot mug",
    "mug2": "Blue polkadot mug",
    "bag1": "Jumbo bag red retrospot",
    "box1": "Lunch box with cutlery",
}


def item(item_id: str, title: str = "", **more: Any) -> CatalogueItem:
    return CatalogueItem(
        item_id=item_id,
        title=title or TITLES.get(item_id, item_id),
        added_at=as_datetime(NOON_MS),
        **more,
    )


def shop(*items: CatalogueItem) -> SearchIndex:
    """Of those given, or of TITLES."""
    index = SearchIndex(hashed)
    index.apply({one.item_id: one for one in items or map(item, TITLES)})
    return index


def ids(hits: list[Hit]) -> list[str]:
    return [hit.item.item_id for hit in hits]
