"""How the lists do: what attribution counted, how wide the catalogue is shown, how quick it is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta

from msgspec import Struct

from millstream.domain.clock import Clock, as_datetime
from millstream.gateway import telemetry
from millstream.stores.attributions import Attributions, Field

TOP = 0.1
"""Of the items shown, those shown most: what share of the places they take."""
EXPOSED_DAYS = 7


class OfLists(Struct, frozen=True):
    """Of one model version and variant. `click_through`: clicked of the places that were told as
    seen; null where none was. `clicks_per_list`: places clicked, seen or not."""

    model_version: str
    variant: str
    lists: int
    places: int
    seen: int
    clicked: int
    bought: int
    click_through: float | None
    clicks_per_list: float | None


class OfSource(Struct, frozen=True):
    """The same of the places that one source filled."""

    model_version: str
    variant: str
    source: str
    places: int
    seen: int
    clicked: int
    bought: int
    click_through: float | None


class Percentiles(Struct, frozen=True):
    """Upper edges of the buckets in which they lie; null while there is nothing, and past the last
    edge: beside a replay of old events lists are years younger than what they answer."""

    p50_ms: float | None
    p99_ms: float | None


class KpiReport(Struct, frozen=True):
    """Of lists made on these days (UTC). `carried`: clicks and purchases that bore the list's id,
    the rest fell into the window. `unknown`: bore the id of a list that was not held. `coverage`:
    items shown of those in the catalogue. `top_share`: of the places, those of the tenth of items
    that is shown most. `latency`: of the tenant's stored lists in this process,
    since it began."""

    days: tuple[str, ...]
    lists: tuple[OfLists, ...]
    sources: tuple[OfSource, ...]
    carried: int
    unknown: int
    items_shown: int
    catalogue: int
    coverage: float | None
    top_share: float | None
    freshness: Percentiles
    latency: Percentiles


class Exposure(Struct, frozen=True):
    """How often lists made on the last `days` days (UTC, today among them) had an item: its
    `places`, in at most as many lists, and their part of all places."""

    days: int
    places: int
    lists: int
    share: float


class Kpis:
    """`partitions`: of the events topic; `size_of`: a tenant's catalogue."""

    def __init__(
        self,
        counted: Attributions,
        partitions: int,
        size_of: Callable[[str], int],
        clock: Clock,
    ) -> None:
        self._counted = counted
        self._partitions = partitions
        self._size_of = size_of
        self._clock = clock

    async def of(self, tenant: str, days: int) -> KpiReport:
        """Of the last so many, today among them. Raises what Redis raises."""
        named = self._last(days)
        counts, items = await self._counted.counts(tenant, named, self._partitions)
        return report(named, counts, items, self._size_of(tenant), _latency(tenant))

    async def exposure(self, tenant: str, item_id: str) -> Exposure | None:
        """Of the last EXPOSED_DAYS days; None where no list was counted. Raises what Redis
        raises."""
        days = self._last(EXPOSED_DAYS)
        places, counts = await self._counted.exposed(tenant, item_id, days, self._partitions)
        return exposure(len(days), places, counts)

    def _last(self, days: int) -> tuple[str, ...]:
        today = as_datetime(self._clock())
        return tuple(f"{today - timedelta(days=ago):%Y%m%d}" for ago in range(days))


def report(
    days: tuple[str, ...],
    counts: Counter[Field],
    items: Counter[str],
    catalogue: int,
    latency: Percentiles,
) -> KpiReport:
    of_source: dict[tuple[str, str, str], Counter[str]] = {}
    lists: dict[tuple[str, str], Counter[str]] = {}
    carried, unknown, fresh = 0, 0, Counter[float]()
    for (outcome, *of), n in counts.items():
        if outcome == "freshness":
            fresh[float(of[0])] += n
        elif outcome == "unknown":
            unknown += n
        else:
            version, variant, *more = of
            lists.setdefault((version, variant), Counter())[outcome] += n
            if more:
                of_source.setdefault((version, variant, more[0]), Counter())[outcome] += n
            if more[1:] == ["carried"] and outcome in {"clicked", "bought"}:
                carried += n
    shown = items.total()
    return KpiReport(
        days,
        tuple(_of_lists(of, lists[of]) for of in sorted(lists)),
        tuple(_of_source(of, of_source[of]) for of in sorted(of_source)),
        carried,
        unknown,
        len(items),
        catalogue,
        round(len(items) / catalogue, 4) if catalogue else None,
        round(_top(items) / shown, 4) if shown else None,
        percentiles(fresh),
        latency,
    )


def exposure(days: int, places: int, counts: Counter[Field]) -> Exposure | None:
    of_all = sum(n for (outcome, *_), n in counts.items() if outcome == "places")
    lists = sum(n for (outcome, *_), n in counts.items() if outcome == "lists")
    return Exposure(days, places, lists, round(places / of_all, 6)) if of_all else None


def percentiles(buckets: Mapping[float, int]) -> Percentiles:
    """From the upper edge of each bucket and how many are in it."""
    return Percentiles(_quantile(buckets, 0.5), _quantile(buckets, 0.99))


def _quantile(buckets: Mapping[float, int], share: float) -> float | None:
    wanted, below = share * sum(buckets.values()), 0
    for edge in sorted(buckets):
        below += buckets[edge]
        if below and below >= wanted:
            return edge if math.isfinite(edge) else None
    return None


def _top(items: Counter[str]) -> int:
    most = max(1, round(TOP * len(items)))
    return sum(n for _, n in items.most_common(most))


def _of_lists(of: tuple[str, str], n: Counter[str]) -> OfLists:
    per_list = round(n["clicked"] / n["lists"], 4) if n["lists"] else None
    return OfLists(
        *of, n["lists"], n["places"], n["seen"], n["clicked"], n["bought"], _rate(n), per_list
    )


def _of_source(of: tuple[str, str, str], n: Counter[str]) -> OfSource:
    return OfSource(*of, n["places"], n["seen"], n["clicked"], n["bought"], _rate(n))


def _rate(n: Counter[str]) -> float | None:
    return round(n["seen_clicked"] / n["seen"], 4) if n["seen"] else None


def _latency(tenant: str) -> Percentiles:
    counted = telemetry.LIST_SECONDS.counted(tenant)
    return percentiles({seconds * 1000: n for seconds, n in counted.items()})
