"""The catalogue in memory, per tenant, as its topic says; later records win."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from millstream.domain.catalogue import CatalogueItem

_ITEMS = msgspec.json.Decoder(CatalogueItem)
SHELF = 200
"""How many of the newest items are kept at hand."""


class Catalogue:
    def __init__(self) -> None:
        self._items: dict[str, dict[str, CatalogueItem]] = defaultdict(dict)
        self._newest: dict[str, list[str]] = {}
        self.refused = 0

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """A record of the topic. One that does not read as an item is counted and passed over."""
        tenant, _, item_id = (key or b"").decode(errors="replace").partition(":")
        self._newest.pop(tenant, None)
        if value is None:
            self._items[tenant].pop(item_id, None)
            return
        try:
            item = _ITEMS.decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.refused += 1
            return
        self._newest.pop(item.tenant, None)
        self._items[item.tenant][item.item_id] = item

    def get(self, tenant: str, item_id: str) -> CatalogueItem | None:
        items = self._items.get(tenant)
        return items.get(item_id) if items else None

    def newest(self, tenant: str) -> Sequence[str]:
        """At most SHELF items that can be sold, the latest added first."""
        if tenant not in self._newest:
            sold = (i for i in self._items.get(tenant, {}).values() if i.in_stock and not i.hidden)
            order = sorted(sold, key=lambda item: (item.added_at, item.item_id), reverse=True)
            self._newest[tenant] = [item.item_id for item in order[:SHELF]]
        return self._newest[tenant]

    def __len__(self) -> int:
        return sum(len(items) for items in self._items.values())
