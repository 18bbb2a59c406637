"""A tenant's derived state as ranking sees it: read in one round trip, kept for a moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import Clock
from millstream.domain.reviews import ReviewCounts
from millstream.features.covisitation import NO_SHARES, Shares
from millstream.stores.affinities import AffinityStore, Weighted
from millstream.stores.catalogue import Catalogue
from millstream.stores.demand_book import DemandBook
from millstream.stores.review_book import ReviewBook

KEEP_MS = 10_000
"""What other workers add to an item's neighbours is seen so late at most; what this one adds, at
once (`forget`). They fade by half in weeks."""
KEEP_POPULAR_MS = 1_000
MAX_KEPT = 50_000
"""Items whose neighbours are held per tenant; past that all are forgotten and read again."""
POPULAR = 200
NEWEST = 50
_NEVER = (0, NO_SHARES)


class CachedShop:
    """Implements ranking.shop.Shop. `refresh` must have been awaited for the items asked for;
    others have no neighbours."""

    def __init__(
        self,
        tenant: str,
        affinities: AffinityStore,
        catalogue: Catalogue,
        demand: DemandBook,
        reviews: ReviewBook,
        clock: Clock,
    ) -> None:
        self._tenant = tenant
        self._affinities = affinities
        self._catalogue = catalogue
        self._demand = demand
        self._reviews = reviews
        self._clock = clock
        self._shares: dict[str, tuple[int, Shares]] = {}
        self._popular: Weighted = []
        self._popular_at = 0

    async def refresh(self, items: Collection[str]) -> None:
        """Reads what is older than KEEP_MS, of the popular than KEEP_POPULAR_MS."""
        now = self._clock()
        oldest = now - KEEP_MS
        if self._popular_at < now - KEEP_POPULAR_MS:
            self._popular = await self._affinities.popular(self._tenant, POPULAR)
            self._popular_at = now
        stale = [i for i in items if i not in self._shares or self._shares[i][0] < oldest]
        if len(self._shares) + len(stale) > MAX_KEPT:
            self._shares.clear()
            stale = list(items)
        found = await self._affinities.neighbours(self._tenant, stale)
        self._shares.update((item, (now, near)) for item, near in found.items())

    def forget(self, items: Iterable[str]) -> None:
        """Their neighbours are read again when they are next asked for."""
        for item in items:
            self._shares.pop(item, None)

    def shares(self, item_id: str) -> Shares:
        return self._shares.get(item_id, _NEVER)[1]

    def popular(self) -> Weighted:
        return self._popular

    def newest(self) -> Sequence[str]:
        return self._catalogue.newest(self._tenant, NEWEST)

    def edition(self) -> int:
        return self._catalogue.edition + self._demand.edition + self._reviews.edition

    def days_of_stock(self, item_id: str) -> float | None:
        entry = self._catalogue.get(self._tenant, item_id)
        forecast = self._demand.get(self._tenant, item_id)
        if forecast is None or entry is None or entry.units_in_stock is None:
            return None
        return forecast.days_of(entry.units_in_stock)

    def reviews(self, item_id: str) -> ReviewCounts | None:
        return self._reviews.get(self._tenant, item_id)

    def item(self, item_id: str) -> CatalogueItem | None:
        return self._catalogue.get(self._tenant, item_id)
