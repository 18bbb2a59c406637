"""The newest demand forecasts in memory, per tenant, as their topic says; later records win."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from millstream.domain.demand import DemandForecast

_FORECASTS = msgspec.json.Decoder(DemandForecast)


class DemandBook:
    def __init__(self) -> None:
        self._forecasts: dict[str, dict[str, DemandForecast]] = defaultdict(dict)
        self.refused = 0
        self.edition = 0
        """Rises with every record that was taken."""

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """A record of the topic. What does not read as a forecast is counted and passed over."""
        self.edition += 1
        if value is None:
            tenant, _, item_id = (key or b"").decode(errors="replace").partition(":")
            self._forecasts[tenant].pop(item_id, None)
            return
        try:
            forecast = _FORECASTS.decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.refused += 1
            return
        self._forecasts[forecast.tenant][forecast.item_id] = forecast

    def get(self, tenant: str, item_id: str) -> DemandForecast | None:
        forecasts = self._forecasts.get(tenant)
        return forecasts.get(item_id) if forecasts else None

    def items(self, tenant: str) -> frozenset[str]:
        """Those with a forecast now."""
        return frozenset(self._forecasts.get(tenant, ()))
