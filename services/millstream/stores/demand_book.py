"""The newest demand forecasts in memory."""

from __future__ import annotations

from millstream.domain.demand import DemandForecast
from millstream.stores.item_book import ItemBook


class DemandBook(ItemBook[DemandForecast]):
    def __init__(self) -> None:
        super().__init__(DemandForecast)

    def items(self, tenant: str) -> frozenset[str]:
        """Those with a forecast now."""
        return frozenset(self._records.get(tenant, ()))
