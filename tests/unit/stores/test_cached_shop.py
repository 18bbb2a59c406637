"""What a worker remembers of the neighbours, and for how long."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from tests.builders import forecast

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import as_datetime
from millstream.domain.reviews import ReviewCounts
from millstream.features.covisitation import Shares, shares
from millstream.stores.affinities import AffinityStore, Weighted
from millstream.stores.cached_shop import KEEP_MS, KEEP_POPULAR_MS, CachedShop
from millstream.stores.catalogue import Catalogue
from millstream.stores.demand_book import DemandBook
from millstream.stores.review_book import ReviewBook


class CountedReads(AffinityStore):
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.popular_asked = 0

    async def neighbours(self, tenant: str, items: Sequence[str]) -> dict[str, Shares]:  # noqa: ARG002
        self.asked += items
        return {item: shares([f"{item}{len(self.asked)}"], np.zeros(1)) for item in items}

    async def popular(self, tenant: str, n: int) -> Weighted:  # noqa: ARG002
        self.popular_asked += 1
        return []


async def test_neighbours_are_read_once_in_a_while_and_when_they_changed() -> None:
    reads, now = CountedReads(), [1_000_000]
    shop = CachedShop("default", reads, Catalogue(), DemandBook(), ReviewBook(), lambda: now[0])
    await shop.refresh(["a", "b"])
    now[0] += KEEP_MS
    await shop.refresh(["a", "b"])
    assert reads.asked == ["a", "b"]
    shop.forget(["b", "never asked for"])
    await shop.refresh(["a", "b"])
    assert reads.asked == ["a", "b", "b"]
    assert list(shop.shares("b").items) == ["b3"]
    now[0] += 1
    await shop.refresh(["a"])
    assert reads.asked == ["a", "b", "b", "a"]


async def test_the_popular_are_read_every_second() -> None:
    reads, now = CountedReads(), [1_000_000]
    shop = CachedShop("default", reads, Catalogue(), DemandBook(), ReviewBook(), lambda: now[0])
    for _ in range(3):
        await shop.refresh([])
        now[0] += KEEP_POPULAR_MS
    await shop.refresh([])
    assert reads.popular_asked == 2


def test_how_long_a_stock_lasts_is_known_where_stock_and_demand_are() -> None:
    catalogue, demand = Catalogue(), DemandBook()
    shop = CachedShop("default", CountedReads(), catalogue, demand, ReviewBook(), lambda: 0)
    before = shop.edition()
    for item, units in (("mug", 6), ("pot", 6), ("jug", None)):
        entry = CatalogueItem(item_id=item, added_at=as_datetime(0), units_in_stock=units)
        catalogue.take(None, msgspec.json.encode(entry))
    for item in ("mug", "jug"):
        demand.take(*forecast(item, 14.0))
    assert [shop.days_of_stock(item) for item in ("mug", "pot", "jug")] == [3, None, None]
    known = shop.edition()
    assert known > before
    demand.take(*forecast("mug", 21.0))
    assert shop.days_of_stock("mug") == 2
    assert shop.edition() > known


def test_what_buyers_say_is_known_and_moves_the_edition() -> None:
    reviews = ReviewBook()
    shop = CachedShop("default", CountedReads(), Catalogue(), DemandBook(), reviews, lambda: 0)
    before = shop.edition()
    assert shop.reviews("mug") is None
    counts = ReviewCounts(tenant="default", item_id="mug", good=9, bad=1)
    reviews.take(None, msgspec.json.encode(counts))
    assert shop.reviews("mug") == counts
    assert shop.edition() > before
