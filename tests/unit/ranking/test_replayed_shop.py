"""What the shop derives from a known log, and the list that it then makes."""

from __future__ import annotations

import pytest
from tests.unit.ranking.worlds import entry, event

from millstream.domain.deriving import DAY_MS, Deriving
from millstream.domain.events import EventType
from millstream.domain.lists import Source
from millstream.features import covisitation
from millstream.ranking.rank import rank
from millstream.ranking.replayed_shop import ReplayedShop
from millstream.ranking.settings import RankingSettings

PURCHASE = EventType.PURCHASE
MINUTES_30_DAYS = 30 * 24 * 60


def shares(shop: ReplayedShop, item: str) -> dict[str, float]:
    return {other: round(share, 3) for other, share in zip(*shop.shares(item), strict=True)}


def test_a_later_item_is_led_to_twice_as_much_as_it_leads_back() -> None:
    shop = ReplayedShop()
    for minute, item in enumerate("abc"):
        shop.learn(event("ann", item, minute=minute))
    # b: c follows it (1), a came before it (1/2)
    assert shares(shop, "b") == {"c": 0.667, "a": 0.333}
    # a: b follows (1), c follows one further (1/2)
    assert shares(shop, "a") == {"b": 0.667, "c": 0.333}


def test_the_items_of_a_basket_belong_together_alike() -> None:
    shop = ReplayedShop()
    shop.learn(event("ann", "a", "b", "c", kind=PURCHASE))
    assert shares(shop, "a") == {"b": 0.5, "c": 0.5}


def test_a_look_joins_two_items_as_much_as_a_purchase() -> None:
    shop = ReplayedShop()
    for who, last, kind in (("ann", "b", EventType.VIEW_ITEM), ("ben", "c", PURCHASE)):
        shop.learn(event(who, "a"))
        shop.learn(event(who, last, kind=kind, minute=1))
    assert shares(shop, "a") == {"b": 0.5, "c": 0.5}


def test_another_day_is_another_visit() -> None:
    shop = ReplayedShop()
    day = covisitation.MAX_AGE_MS / 60_000
    shop.learn(event("ann", "a"))
    shop.learn(event("ann", "b", minute=day + 1))
    assert list(shop.shares("a").items) == list(shop.shares("b").items) == []


def test_neighbours_fade_by_half_in_the_half_life() -> None:
    shop = ReplayedShop()
    for who, item, minute in (("ann", "old", 0.0), ("ben", "new", MINUTES_30_DAYS)):
        shop.learn(event(who, "a", minute=minute))
        shop.learn(event(who, item, minute=minute + 1))
    assert shares(shop, "a") == {"new": 0.667, "old": 0.333}


def test_neighbours_are_bounded_to_the_heaviest_and_half_of_them_lead_on() -> None:
    shop = ReplayedShop()
    for n in range(covisitation.BOUND + 5):
        shop.learn(event(f"u{n}", "a", minute=n * 60))
        shop.learn(event(f"u{n}", f"i{n}", minute=n * 60 + 1))
    newest_first = [f"i{n}" for n in reversed(range(covisitation.BOUND + 5))]
    assert [item for item, _ in shop.neighbours("a")] == newest_first[: covisitation.BOUND]
    assert list(shop.shares("a").items) == newest_first[: covisitation.LEADING]
    assert shop.shares("a").parts.sum() == pytest.approx(1.0)


def test_popularity_weighs_by_type_and_fades() -> None:
    shop = ReplayedShop()
    shop.learn(event("ann", "bought", kind=PURCHASE))
    shop.learn(event("ben", "seen", minute=MINUTES_30_DAYS))
    (first, heavy), (second, light) = shop.popular()
    assert (first, second) == ("bought", "seen")
    assert heavy - light == pytest.approx(2.3219, abs=1e-3)  # log2(10 / 2)


def test_weights_by_type_and_half_lives_are_the_deployments() -> None:
    deriving = Deriving({EventType.VIEW_ITEM: 4.0}, 15 * DAY_MS, 10 * DAY_MS)
    shop = ReplayedShop(deriving=deriving)
    for minute, who in ((0, "ann"), (MINUTES_30_DAYS, "ben")):
        for later, item in enumerate(("tea", f"{who}'s")):
            shop.learn(event(who, item, minute=minute + later))
    shop.learn(event("cid", "bought", kind=PURCHASE, minute=MINUTES_30_DAYS))
    popular = dict(shop.popular())
    assert popular.keys() == {"tea", "ann's", "ben's"}, "a type without a weight says nothing"
    assert popular["ben's"] - popular["ann's"] == pytest.approx(2.0), "two half-lives"
    assert shares(shop, "tea") == {"ben's": round(8 / 9, 3), "ann's": round(1 / 9, 3)}


@pytest.mark.parametrize("kind", [EventType.REFUND, EventType.SEARCH, EventType.REMOVE_FROM_CART])
def test_what_says_nothing_of_interest_derives_nothing(kind: EventType) -> None:
    shop = ReplayedShop()
    shop.learn(event("ann", "a", "b", kind=kind))
    assert not shop.popular()
    assert list(shop.shares("a").items) == []


def test_an_erased_shopper_is_a_stranger() -> None:
    shop = ReplayedShop()
    shop.learn(event("ann", "a"))
    shop.learn(event("ann", kind=EventType.ERASE, minute=1))
    assert shop.shopper("default", "ann", 0).recent == ()


def test_newest_is_in_the_order_of_the_catalogue() -> None:
    assert ReplayedShop({i: entry(i) for i in "ab"}).newest() == ["b", "a"]


def test_the_list_after_a_known_log() -> None:
    shop = ReplayedShop()
    for who in ("ben", "cid"):
        shop.learn(event(who, "tea", "pot", "cup", kind=PURCHASE))
    shop.learn(event("dan", "hat", kind=PURCHASE, minute=1))
    shop.learn(event("ann", "tea", minute=2))
    ann = shop.shopper("default", "ann", 0)
    (items,) = rank([ann], shop, None, RankingSettings(), 0).lists
    assert [(item.item_id, item.source) for item in items] == [
        ("tea", Source.REPEAT),
        ("cup", Source.COVISITED),
        ("pot", Source.COVISITED),
        ("hat", Source.POPULAR),
    ]
