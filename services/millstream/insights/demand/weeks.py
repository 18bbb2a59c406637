"""Weekly demand of each item: what was bought, less what came back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from millstream.domain.events import EventType

Units = NDArray[np.float64]

WEEK_MS = 7 * 86_400_000
_MONDAY_MS = 4 * 86_400_000
"""1970-01-05, the first Monday of Unix time."""
MOST_WEEKS = 260
"""Five years: one purchase of 1970 would make a table of some thousand weeks for all items."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """(n, weeks) units of n items in whole weeks of UTC, Monday to Sunday, the last one newest."""

    items: tuple[str, ...]
    units: Units
    first_monday: date

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Weekly:
        return Weekly(tuple(self.items[row] for row in rows), self.units[rows], self.first_monday)

    def monday_after(self) -> date:
        """Of the week after the last one."""
        return self.first_monday + timedelta(weeks=self.units.shape[1])


def weekly(lines: pl.DataFrame) -> Weekly:
    """From accepted item lines: item, type, quantity, time_ms. Items in the order of their ids.

    Begins with the week of the first purchase, MOST_WEEKS back at most; the week of the newest
    line may not be over and is left out. What came back counts in the week in which it did; a week
    in which more came back than was bought is 0, and nothing of it is carried on: demand is no
    debt."""
    bought, returned = EventType.PURCHASE.value, EventType.REFUND.value
    sign = pl.col("type").replace_strict({bought: 1, returned: -1}, return_dtype=pl.Int64)
    sums = (
        lines.filter(pl.col("type").is_in([bought, returned]))
        .select(
            "item",
            week=(pl.col("time_ms") - _MONDAY_MS) // WEEK_MS,
            units=pl.col("quantity") * sign,
            bought=sign > 0,
        )
        .group_by("item", "week")
        .agg(pl.col("units").sum(), pl.col("bought").any())
    )
    if not sums["bought"].any():
        return Weekly((), np.zeros((0, 0)), date(1970, 1, 5))
    first = int(sums.filter("bought")["week"].min())  # type: ignore[arg-type]  # weeks are whole
    last = int(lines["time_ms"].max() - _MONDAY_MS) // WEEK_MS  # type: ignore[operator]
    first = max(first, last - MOST_WEEKS)
    kept = sums.filter(pl.col("week").is_between(first, last - 1))
    items = kept["item"].unique().sort()
    units = np.zeros((len(items), last - first))
    units[items.search_sorted(kept["item"]).to_numpy(), (kept["week"] - first).to_numpy()] = kept[
        "units"
    ].to_numpy()
    monday = datetime.fromtimestamp((first * WEEK_MS + _MONDAY_MS) / 1000, UTC).date()
    return Weekly(tuple(items), units.clip(0), monday)
