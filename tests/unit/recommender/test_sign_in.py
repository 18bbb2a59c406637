"""What was looked at before signing in joins every list from then on, and no count."""

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
from millstream.features.sign_ins import BOUND as LINKS
from millstream.features.sign_ins import SIGN_INS, SignIn
from millstream.features.type_counts import TYPE_COUNTS
from millstream.ranking.rankings import Rankings
from millstream.ranking.shop import Shopper
from millstream.recommender.draft import Drafter
from millstream.recommender.hot_swap import HotSwap
from millstream.recommender.variants import Variants
from millstream.stores.cached_shop import CachedShop
from millstream.stores.catalogue import Catalogue
from millstream.stores.demand_book import DemandBook
from millstream.stores.review_book import ReviewBook
from millstream.stores.visits import Visits

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
    """By shopper, after the events."""
    held.apply(*events)
    states = {
        (one.tenant, one.shopper): held.shoppers[one.tenant, one.shopper].state() for one in events
    }
    visits = await Visits(held, held.numbers).of(states)
    return {
        name[1]: Shopper.from_state(*name, state, NOON_MS, visits.get(name, ()))
        for name, state in states.items()
    }


def recent(shopper: Shopper) -> list[str]:
    return [touch.item_id for touch in shopper.recent]


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


async def test_it_lasts_though_later_events_leave_the_anonymous_id_out(held: Held) -> None:
    held.apply(visit("v1", "cookie", "a", kind=EventType.PURCHASE))
    held.apply(signed_in("ann", "cookie", "b"))
    found = (await joined(held, signed_in("ann", None, "c", minute=20)))["ann"]
    assert recent(found) == ["c", "b", "a"]
    assert found.bought == {"a"}
    counts = held.shoppers["default", "ann"].state().read(TYPE_COUNTS, NOON_MS)
    assert counts == {EventType.VIEW_ITEM: 2}, "what the visitor did is not counted to the user"


async def test_what_the_next_visitor_does_under_the_id_is_not_the_users(held: Held) -> None:
    held.apply(visit("v1", "cookie", "a"), signed_in("ann", "cookie", "b"))
    held.apply(visit("v2", "cookie", "next", minute=11))
    assert recent((await joined(held, signed_in("ann", None, "c", minute=20)))["ann"]) == [
        "c",
        "b",
        "a",
    ]
    again = await joined(held, signed_in("ann", "cookie", "c", minute=30))
    assert recent(again["ann"]) == ["c", "next", "b", "a"]


async def test_what_reaches_the_log_after_the_sign_in_joins_by_its_time(held: Held) -> None:
    held.apply(signed_in("ann", "cookie", "b"), visit("v1", "cookie", "a"))
    assert recent((await joined(held, signed_in("ann", None, "c", minute=20)))["ann"]) == [
        "c",
        "b",
        "a",
    ]


async def test_of_the_ids_that_a_user_signed_in_from_the_newest_are_kept(held: Held) -> None:
    ids = [f"cookie-{n}" for n in range(LINKS + 1)]
    held.apply(*(visit(f"v{n}", name, f"i{n}") for n, name in enumerate(ids)))
    for n, name in enumerate([*ids, ids[-2]]):
        held.apply(signed_in("ann", name, "c", minute=20 + n))
    held.apply(signed_in("ann", ids[-2], "c", minute=10))  # reached the log late
    links = held.shoppers["default", "ann"].state().read(SIGN_INS, NOON_MS)
    minutes = {ids[-2]: 20 + LINKS + 1, ids[-1]: 20 + LINKS, ids[-3]: 20 + LINKS - 2}
    assert links == tuple(SignIn(n, NOON_MS + at * MINUTE_MS) for n, at in minutes.items())
    found = (await joined(held, signed_in("ann", None, "c", minute=30)))["ann"]
    assert set(recent(found)) == {"c", *(f"i{n}" for n in range(1, LINKS + 1))}


@pytest.mark.parametrize("visitor", ["~", "\u2764" * 128, "é", "12345678"])
async def test_a_link_reads_as_it_was_written(held: Held, visitor: str) -> None:
    held.apply(signed_in("ann", visitor, "c"), signed_in("ann", "another", "c"))
    links = held.shoppers["default", "ann"].state().read(SIGN_INS, NOON_MS)
    assert [link.anonymous_id for link in links] == ["another", visitor]


async def test_who_never_signed_in_pays_no_byte(held: Held) -> None:
    held.apply(signed_in("ann", None, "c"), visit("v1", "cookie", "c"))
    for shopper in held.shoppers.values():
        state = shopper.state()
        assert shopper.packed()[-1:] == b"\0", "the count of what was bought"
        assert state.read(SIGN_INS, NOON_MS) == ()
    ann = held.shoppers["default", "ann"]
    bare = len(ann.packed())
    held.apply(signed_in("ann", "0123456789012345678901", "c", minute=11))
    assert len(ann.packed()) - bare == 1 + 32, "a pseudonym"


async def test_an_erased_user_has_no_link(held: Held) -> None:
    held.apply(visit("v1", "cookie", "a"), signed_in("ann", "cookie", "b"))
    held.apply(event("x", "ann", kind=EventType.ERASE, anonymous_id="cookie"))
    assert held.shoppers["default", "ann"].packed() == b""
    found = (await joined(held, signed_in("ann", None, "c", minute=20)))["ann"]
    assert recent(found) == ["c"]
    assert not held.asked


async def test_what_an_erased_visitor_does_later_is_not_the_users(held: Held) -> None:
    held.apply(visit("v1", "cookie", "a"), signed_in("ann", "cookie", "b"))
    held.apply(event("x", None, kind=EventType.ERASE, anonymous_id="cookie"))
    held.apply(visit("v2", "cookie", "later", minute=15))
    found = (await joined(held, signed_in("ann", None, "c", minute=20)))["ann"]
    assert recent(found) == ["c", "b"]


async def test_it_is_asked_once_for_all_and_only_where_a_shopper_has_a_link(held: Held) -> None:
    held.apply(visit("v1", "one", "a"), visit("v2", "two", "b"))
    found = await joined(
        held,
        signed_in("ann", "one", "c"),
        signed_in("bob", "two", "c"),
        signed_in("eve", None, "c"),
        visit("v3", "three", "c"),
    )
    assert held.asked == [[("default", "~one"), ("default", "~two")]]
    assert {name: recent(shopper) for name, shopper in found.items()} == {
        "ann": ["c", "a"],
        "bob": ["c", "b"],
        "eve": ["c"],
        "~three": ["c"],
    }
    await joined(held, signed_in("eve", None, "c", minute=11))
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


async def test_a_list_after_the_sign_in_is_made_of_both_and_the_state_stays(
    held: Held, no_model: HotSwap
) -> None:
    affinities = MemoryAffinities(held.numbers, [("best", 9.0)])
    drafter = Drafter(
        lambda tenant: CachedShop(
            tenant, affinities, Catalogue(), DemandBook(), ReviewBook(), lambda: NOON_MS
        ),
        no_model,
        Variants("default", Rankings()),
        visits=Visits(held, held.numbers),
    )
    one = arrival(signed_in("ann", None, "c", minute=20))
    held.apply(visit("v1", "cookie", "a"), signed_in("ann", "cookie", "c"), one.event)
    name = ("default", "ann")
    before = {n: shopper.packed() for n, shopper in held.shoppers.items()}
    states = {name: held.shoppers[name].state()}
    (draft,) = await drafter.draft({name: one}, Recorded([one], [], {name: one}, states, Counter()))
    sources = {item.item_id: item.source for item in draft.items or ()}
    assert sources["a+"] is sources["c+"] is Source.COVISITED
    assert before == {n: shopper.packed() for n, shopper in held.shoppers.items()}
