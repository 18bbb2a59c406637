"""The shop as the live page shows it: what is on the shelves, and one item closely."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date
from itertools import chain, islice
from typing import NamedTuple

from msgspec import Struct

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.demand import DemandForecast
from millstream.domain.events import EventType
from millstream.domain.lists import Source
from millstream.domain.reviews import ReviewCounts
from millstream.features.item_counts import ItemCounts
from millstream.gateway.kpis import Exposure
from millstream.gateway.live_ranking import LiveRanking
from millstream.stores.cached_shop import CachedShop
from millstream.stores.catalogue import Catalogue

NEIGHBOURS = 12


class ShelfItem(Struct, frozen=True, omit_defaults=True):
    """`in_catalogue`: false for what was sold, but is not there by now."""

    item_id: str
    title: str
    category: str = ""
    price: float | None = None
    in_stock: bool = True
    hidden: bool = False
    in_catalogue: bool = True


class ShelfItems(Struct, frozen=True):
    """`catalogue`: how many items there are in all."""

    items: tuple[ShelfItem, ...]
    catalogue: int


class Neighbour(Struct, frozen=True):
    item: ShelfItem
    score: float
    source: Source
    reason: str


class Demand(Struct, frozen=True):
    """What sells in each of the weeks from the Monday `first_week` on, as insights told it last:
    units a week, and the interval that holds the share `coverage` of the weeks. `days_of_stock`:
    null where the catalogue tells no units, or nothing is expected to sell."""

    first_week: date
    level: float
    expected: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    coverage: float
    units_in_stock: int | None
    days_of_stock: float | None


class ItemReviews(Struct, frozen=True):
    """How many reviews of it were judged good and bad; `liked`: the part that is good."""

    good: int
    bad: int
    liked: float


class ItemCard(Struct, frozen=True):
    """`counts`: lines of events by type, some seconds behind. `click_through`: clicks on it by
    impressions of it; null where no impression was told. `exposure`: null where attribution has
    counted no list. `demand`: null where there is no forecast, as of an item that has sold in few
    weeks. `reviews`: null where nobody wrote one."""

    item: ShelfItem
    counts: dict[str, int]
    click_through: float | None
    neighbours: tuple[Neighbour, ...]
    exposure: Exposure | None = None
    demand: Demand | None = None
    reviews: ItemReviews | None = None


class Told(NamedTuple):
    """By tenant and item, what insights told last."""

    demand: Callable[[str, str], DemandForecast | None]
    reviews: Callable[[str, str], ReviewCounts | None]


class Counted(NamedTuple):
    """By tenant and item: lines of its events, and how often lists had it."""

    events: Callable[[str, str], Awaitable[ItemCounts]]
    exposure: Callable[[str, str], Awaitable[Exposure | None]]


class Browsing:
    """Raises what Redis raises."""

    def __init__(
        self,
        shop_of: Callable[[str], CachedShop],
        catalogue: Catalogue,
        counted: Counted,
        live: LiveRanking,
        told: Told,
    ) -> None:
        self._shop_of = shop_of
        self._catalogue = catalogue
        self._counted = counted
        self._live = live
        self._told = told

    async def shelf(self, tenant: str, text: str, n: int) -> ShelfItems:
        """What sells best, then what is new; with a text what has its words in title or id."""
        if text:
            entries = self._catalogue.items(tenant)
            found = await asyncio.to_thread(matching, entries.values(), text, n)
            return ShelfItems(found, len(entries))
        shop = self._shop_of(tenant)
        await shop.refresh(())
        ids = dict.fromkeys(chain((item_id for item_id, _ in shop.popular()), shop.newest()))
        entries_of = (entry for item_id in ids if (entry := shop.item(item_id)) is not None)
        sold = (shelf_item(entry) for entry in entries_of if entry.in_stock and not entry.hidden)
        return ShelfItems(tuple(islice(sold, n)), self._catalogue.size(tenant))

    def named(self, tenant: str, item_ids: Sequence[str]) -> ShelfItems:
        items = tuple(self.item(tenant, item_id) for item_id in item_ids)
        return ShelfItems(items, self._catalogue.size(tenant))

    async def card(self, tenant: str, item_id: str) -> ItemCard | None:
        """None for what neither the catalogue nor an event ever named."""
        entry = self._catalogue.get(tenant, item_id)
        counts = (await self._counted.events(tenant, item_id)).by_type
        if entry is None and not counts:
            return None
        similar = await self._live.similar(tenant, item_id)
        neighbours = tuple(
            Neighbour(
                self.item(tenant, item.item_id), round(item.score, 4), item.source, item.reason
            )
            for item in similar.items[:NEIGHBOURS]
        )
        return ItemCard(
            self.item(tenant, item_id),
            {str(kind): n for kind, n in counts.items() if n},
            click_through(counts),
            neighbours,
            await self._counted.exposure(tenant, item_id),
            demand(self._told.demand(tenant, item_id), entry),
            reviews(self._told.reviews(tenant, item_id)),
        )

    def item(self, tenant: str, item_id: str) -> ShelfItem:
        entry = self._catalogue.get(tenant, item_id)
        return (
            ShelfItem(item_id, item_id, in_catalogue=False) if entry is None else shelf_item(entry)
        )


def shelf_item(entry: CatalogueItem) -> ShelfItem:
    return ShelfItem(
        entry.item_id,
        entry.title or entry.item_id,
        entry.category,
        entry.price,
        entry.in_stock,
        entry.hidden,
    )


def demand(forecast: DemandForecast | None, entry: CatalogueItem | None) -> Demand | None:
    if forecast is None:
        return None
    units = None if entry is None else entry.units_in_stock
    days = None if units is None else forecast.days_of(units)
    return Demand(
        forecast.first_week,
        forecast.level,
        forecast.expected,
        forecast.low,
        forecast.high,
        forecast.coverage,
        units,
        None if days is None else round(days, 1),
    )


def reviews(counts: ReviewCounts | None) -> ItemReviews | None:
    if counts is None:
        return None
    return ItemReviews(counts.good, counts.bad, round(counts.liked, 4))


def matching(entries: Iterable[CatalogueItem], text: str, n: int) -> tuple[ShelfItem, ...]:
    """At most n whose title or id has every word of the text, in the order given; hidden ones and
    those out of stock too, who asks for an item by name wants to see that."""
    words = text.lower().split()
    hits = (
        entry
        for entry in entries
        if all(word in f"{entry.title} {entry.item_id}".lower() for word in words)
    )
    return tuple(shelf_item(entry) for entry in islice(hits, n))


def click_through(counts: dict[EventType, int]) -> float | None:
    shown = counts.get(EventType.VIEW_ITEM_LIST, 0)
    return round(counts.get(EventType.SELECT_ITEM, 0) / shown, 4) if shown else None
