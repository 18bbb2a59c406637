"""What was looked at before signing in joins the list at hand, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from tests.builders import NOON_MS, arrival, event
from tests.unit.recommender.conftest import MemoryAffinities, MemoryNumbers

from millstream.counting.fenced import Recorded
from millstream.domain.events import Event, EventType
from millstream.domain.identity import ShopperName
from millstream.domain.lists import Source
from millstream.features.recent_items import BOUND
from millstream.features.replayed import ReplayedShopper
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper
from millstream.recommender.draft import Drafter
from millstream.recommender.hot_swap import HotSwap
from millstream.recommender.sign_in import SignIns
from millstream.recommender.variants import Variants
from millstream.stores.cached_shop import CachedShop
from millstream.stores.catalogue import Catalogue
from millstream.stores.demand_book import DemandBook
from millstream.stores.review_book import ReviewBook

MINUTE_MS = 60_000


class Held:
    """Stands for stores/feature_store.py; its shoppers' items have the numbers of `numbers`."""

    def __init__(self, numbers: MemoryNumbers) -> None:
        self.numbers = numbers
        self.shoppers: dict[ShopperName, ReplayedShopper] = {}
        self.asked: list[list[ShopperName]] = []

    def apply(self, *events: Event) -> None:
        for one in events:
            name = (one.tenant, one.shopper)
            self.shoppers.setdefault(name, ReplayedShopper(self.numbers.shared)).apply(one)

    async def packed_states(self, names: Iterable[ShopperName]) -> dict[ShopperName, bytes]:
        wanted = list(dict.fromkeys(names))
        self.asked.append(wanted)
        return {
            name: self.shoppers[name].packed() if name in self.shoppers else b"" for name in wanted
        }


@pytest.fixture
def held() -> Held:
    return Held(MemoryNumbers())


def visit(event_id: str, visitor: str, *items: str, minute: int = 0, **more: Any) -> Event:
    at_ms = NOON_MS + minute * MINUTE_MS
    return event(event_id, None, *items, anonymous_id=visitor, at_ms=at_ms, **more)


def signed_in(user: str, visitor: str | None, *items: str, minute: int = 10) -> Event:
    at_ms = NOON_MS + minute * MINUTE_MS
    return event(f"{user}-{minute}", user, *items, anonymous_id=visitor, at_ms=at_ms)


async def joined(held: Held, *events: Event) -> dict[str, Shopper]:
    """By user, of whom each has one event."""
    held.apply(*events)
    of = {(one.tenant, one.shopper): one for one in events}
    shoppers = {
        name: Shopper.from_state(*name, held.shoppers[name].state(), NOON_MS) for name in of
    }
    found = await SignIns(held, held.numbers).joined(shoppers, of)
    return {name: shopper for (_, name), shopper in found.items()}


async def test_what_a_visitor_looked_at_joins_the_users_own_by_time(held: Held) -> None:
    held.apply(
        signed_in("ann", None, "old", minute=-5),
        visit("v1", "cookie", "a"),
        visit("v2", "cookie", "b", minute=2, kind=EventType.ADD_TO_CART),
        visit("v3", "another", "no"),
    )
    found = (await joined(held, signed_in("ann", "cookie", "c")))["ann"]
    assert [touch.item_id for touch in found.recent] == ["c", "b", "a", "old"]
    assert found.recent[1].type is EventType.ADD_TO_CART
    assert (found.tenant, found.name) == ("default", "ann")


async def test_each_item_stands_once_with_its_newest_touch_and_the_bound_holds(
    held: Held,
) -> None:
    held.apply(*(visit(f"v{n}", "cookie", f"i{n}", minute=n) for n in range(BOUND)))
    held.apply(visit("again", "cookie", "c", minute=5))
    found = (await joined(held, signed_in("ann", "cookie", "c", minute=60)))["ann"]
    items = [touch.item_id for touch in found.recent]
    assert len(items) == len(set(items)) == BOUND
    assert (items[0], found.recent[0].time_ms) == ("c", NOON_MS + 60 * MINUTE_MS)
    assert "i0" not in items, "the oldest goes"


async def test_what_a_visitor_bought_is_bought(held: Held) -> None:
    held.apply(visit("v1", "cookie", "a", kind=EventType.PURCHASE))
    found = (await joined(held, signed_in("ann", "cookie", "c")))["ann"]
    assert found.bought == {"a"}


async def test_it_is_asked_once_for_all_and_only_where_an_event_has_both_ids(held: Held) -> None:
    held.apply(visit("v1", "one", "a"), visit("v2", "two", "b"))
    found = await joined(
        held,
        signed_in("ann", "one", "c"),
        signed_in("bob", "two", "c"),
        signed_in("eve", None, "c"),
        visit("v3", "three", "c"),
    )
    assert held.asked == [[("default", "~one"), ("default", "~two")]]
    recent = {name: [t.item_id for t in shopper.recent] for name, shopper in found.items()}
    assert recent == {"ann": ["c", "a"], "bob": ["c", "b"], "eve": ["c"], "~three": ["c"]}
    await joined(Held(held.numbers), signed_in("eve", None, "c"))
    assert len(held.asked) == 1


async def test_a_visitor_nobody_knows_or_who_was_erased_brings_nothing(held: Held) -> None:
    held.apply(visit("v1", "gone", "a"), visit("v2", "gone", kind=EventType.ERASE, minute=1))
    found = await joined(held, signed_in("ann", "gone", "c"), signed_in("bob", "never-seen", "c"))
    for shopper in found.values():
        assert [touch.item_id for touch in shopper.recent] == ["c"]


async def test_a_visitor_of_another_tenant_brings_nothing(held: Held) -> None:
    held.apply(visit("v1", "cookie", "a", tenant="shop-2"))
    found = (await joined(held, signed_in("ann", "cookie", "c")))["ann"]
    assert [touch.item_id for touch in found.recent] == ["c"]


async def test_the_list_after_the_sign_in_is_made_of_both_and_the_state_stays(
    held: Held, no_model: HotSwap
) -> None:
    affinities = MemoryAffinities(held.numbers, [("best", 9.0)])
    drafter = Drafter(
        lambda tenant: CachedShop(
            tenant, affinities, Catalogue(), DemandBook(), ReviewBook(), lambda: NOON_MS
        ),
        no_model,
        Variants("default", RankingSettings()),
        sign_ins=SignIns(held, held.numbers),
    )
    one = arrival(signed_in("ann", "cookie", "c"))
    held.apply(visit("v1", "cookie", "a"), one.event)
    name = ("default", "ann")
    before = {n: shopper.packed() for n, shopper in held.shoppers.items()}
    states = {name: held.shoppers[name].state()}
    (draft,) = await drafter.draft({name: one}, Recorded([one], [], {name: one}, states, Counter()))
    sources = {item.item_id: item.source for item in draft.items or ()}
    assert sources["a+"] is sources["c+"] is Source.COVISITED
    assert before == {n: shopper.packed() for n, shopper in held.shoppers.items()}
