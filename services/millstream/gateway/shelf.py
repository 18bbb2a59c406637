"""Each tenant's popular items in memory: for shoppers nobody knows, and while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import structlog

from millstream.domain.lists import Source
from millstream.gateway.answers import AnsweredItem
from millstream.stores.cached_shop import CachedShop

REFRESH_S = 5.0

log = structlog.get_logger("millstream.gateway")


class Shelf:
    def __init__(
        self,
        shop_of: Callable[[str], CachedShop],
        tenants: Callable[[], Collection[str]],
    ) -> None:
        self._shop_of = shop_of
        self._tenants = tenants
        self._items: dict[str, tuple[AnsweredItem, ...]] = {}

    def items(self, tenant: str) -> tuple[AnsweredItem, ...]:
        """The heaviest first, scored against it; neither hidden nor out of stock."""
        return self._items.get(tenant, ())

    async def refresh(self) -> None:
        """Raises what Redis raises."""
        for tenant in self._tenants():
            shop = self._shop_of(tenant)
            await shop.refresh(())
            self._items[tenant] = _shown(shop)

    async def follow(self) -> None:
        """For ever; while Redis is away what was read last stays."""
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001  whatever it is, the last shelf serves
                log.warning("popular items not read anew", kind=type(error).__name__)


def _shown(shop: CachedShop) -> tuple[AnsweredItem, ...]:
    weighted = shop.popular()
    heaviest = weighted[0][1] if weighted else 0.0
    shown = []
    for item_id, weight in weighted:
        entry = shop.item(item_id)
        if entry is None or (entry.in_stock and not entry.hidden):
            score = round(2.0 ** (weight - heaviest), 4)
            shown.append(AnsweredItem(item_id, score, Source.POPULAR))
    return tuple(shown)
