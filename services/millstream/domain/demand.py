"""What will sell, as told of each item."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct

from millstream.domain.events import Id, Tenant, Timestamp

Units = Annotated[float, Meta(ge=0)]
Weeks = Annotated[tuple[Units, ...], Meta(min_length=1, max_length=52)]


class DemandForecast(Struct, frozen=True, kw_only=True):
    """Units a week of one item, in the weeks from the Monday `first_week` on. `level`: the middle,
    the same for each week. `expected`: the mean, for sums over weeks. `low`, `high`: of each week,
    the interval in which the share `coverage` of the weeks lies. `weeks_known`: whole weeks that
    the forecast is made from. A record with a null value takes the forecast away."""

    tenant: Tenant
    item_id: Id
    first_week: date
    level: Units
    expected: Units
    low: Weeks
    high: Weeks
    coverage: Annotated[float, Meta(gt=0, lt=1)]
    weeks_known: Annotated[int, Meta(ge=1)]
    made_at: Timestamp

    def days_of(self, units: int) -> float | None:
        """How long so many units last; None where nothing is expected to sell."""
        return 7 * units / self.expected if self.expected > 0 else None
