"""What a request wants of a list, and what of a list meets it; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import msgspec
from msgspec import Struct

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.lists import RankedItem
from millstream.domain.rules import Scenario
from millstream.ranking.settings import RankingSettings

MAX_N = 100
_WIDE = 200
"""So many items are ranked where most may be filtered out."""


class Wanted(Struct, frozen=True):
    n: int
    scenario: Scenario = Scenario.HOME
    categories: frozenset[str] = frozenset()
    """Of these only; empty: of all, and items without one."""
    min_price: float | None = None
    max_price: float | None = None
    """Inclusive. An item whose price is not known meets no bound."""
    exclude: frozenset[str] = frozenset()

    @property
    def is_plain(self) -> bool:
        """True where a stored list can answer, but for items to leave out."""
        return self.scenario is Scenario.HOME and not self._is_filtered

    @property
    def _is_filtered(self) -> bool:
        return bool(self.categories) or self.min_price is not None or self.max_price is not None


def settings_for(wanted: Wanted, base: RankingSettings) -> RankingSettings:
    """Ranking as usual, but for more candidates and without the rules that the scenario lifts."""
    changes: dict[str, int] = {
        "list_length": _WIDE,
        "candidates": _WIDE,
        "popular_places": _WIDE,  # bounds a list of the usual length, not what is filtered
    }
    if wanted.categories:
        changes["per_category"] = _WIDE
    if wanted.scenario is Scenario.DISCOVER:
        changes |= {"bought_before": 0, "looked_at": 0}
    if wanted.scenario is Scenario.BUY_AGAIN:
        changes["bought_before"] = _WIDE
    return msgspec.structs.replace(base, **changes)


def select(
    items: Iterable[RankedItem],
    wanted: Wanted,
    bought: Collection[str],
    item_of: Callable[[str], CatalogueItem | None],
) -> list[RankedItem]:
    """At most n, in the order given."""
    chosen: list[RankedItem] = []
    for item in items:
        if len(chosen) == wanted.n:
            break
        if item.item_id in wanted.exclude:
            continue
        if wanted.scenario is Scenario.BUY_AGAIN and item.item_id not in bought:
            continue
        if wanted.is_plain or _meets(item_of(item.item_id), wanted):
            chosen.append(item)
    return chosen


def _meets(entry: CatalogueItem | None, wanted: Wanted) -> bool:
    if wanted.categories and (entry is None or entry.category not in wanted.categories):
        return False
    price = entry.price if entry is not None else None
    if wanted.min_price is not None and (price is None or price < wanted.min_price):
        return False
    return wanted.max_price is None or (price is not None and price <= wanted.max_price)
