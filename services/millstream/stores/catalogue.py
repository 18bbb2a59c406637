"""The catalogue in memory, per tenant, as its topic says; later records win."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from millstream.domain.catalogue import CatalogueItem

Changed = Callable[[str, str], None]
"""Of a tenant and an item; must not block."""

_ITEMS = msgspec.json.Decoder(CatalogueItem)


class Catalogue:
    def __init__(self) -> None:
        self._items: dict[str, dict[str, CatalogueItem]] = defaultdict(dict)
        self._by_age: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        self._changed: Changed | None = None
        self.refused = 0
        self.edition = 0
        """Rises with every record that was taken."""

    def tell(self, changed: Changed) -> None:
        """Calls it after each change of an item from now on."""
        self._changed = changed

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """A record of the topic. One that does not read as an item is counted and passed over."""
        self.edition += 1
        if value is None:
            tenant, _, item_id = (key or b"").decode(errors="replace").partition(":")
            self._remove(tenant, item_id)
            self._tell(tenant, item_id)
            return
        try:
            item = _ITEMS.decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.refused += 1
            return
        self._remove(item.tenant, item.item_id)
        self._items[item.tenant][item.item_id] = item
        if item.in_stock and not item.hidden:
            insort(self._by_age[item.tenant], (item.added_at, item.item_id))
        self._tell(item.tenant, item.item_id)

    def get(self, tenant: str, item_id: str) -> CatalogueItem | None:
        items = self._items.get(tenant)
        return items.get(item_id) if items else None

    def items(self, tenant: str) -> dict[str, CatalogueItem]:
        """As it stands now; later records do not change what was returned."""
        return dict(self._items.get(tenant, {}))

    def size(self, tenant: str) -> int:
        return len(self._items.get(tenant, ()))

    def newest(self, tenant: str, n: int) -> Sequence[str]:
        """At most n items that can be sold, the latest added first."""
        return [item_id for _, item_id in reversed(self._by_age[tenant][-n:])]

    def __len__(self) -> int:
        return sum(len(items) for items in self._items.values())

    def _tell(self, tenant: str, item_id: str) -> None:
        if self._changed is not None:
            self._changed(tenant, item_id)

    def _remove(self, tenant: str, item_id: str) -> None:
        item = self._items[tenant].pop(item_id, None)
        if item is not None:
            by_age = self._by_age[tenant]
            place = bisect_left(by_age, (item.added_at, item_id))
            if place < len(by_age) and by_age[place] == (item.added_at, item_id):
                del by_age[place]
