"""One place of a list for what little is known of."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from tests.unit.ranking.test_merchandising import pin, ruled
from tests.unit.ranking.worlds import NOW_MS, FixedShop, FixedTaste, entry, shopper

from millstream.domain.lists import RankedItem, Source
from millstream.domain.rules import NO_RULES, RulesInForce
from millstream.ranking.dissection import dissect
from millstream.ranking.rank import rank
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper

SELLING = [f"s{n}" for n in range(6)]
FRESH = ["new1", "new2", "new3"]
SHOP = FixedShop(best=[(item, -float(n)) for n, item in enumerate(SELLING)], fresh=FRESH)
ANN = shopper("seen")


def made(
    who: Shopper = ANN,
    shop: FixedShop = SHOP,
    place: int = 3,
    length: int = 4,
    rules: RulesInForce = NO_RULES,
    taste: FixedTaste | None = None,
) -> tuple[RankedItem, ...]:
    settings = RankingSettings(list_length=length, looked_at=0, explore_place=place)
    (line,) = rank([who], shop, taste, settings, NOW_MS, rules=rules).lists
    assert dissect(who, shop, taste, settings, NOW_MS, rules).items == line
    return line


def test_the_place_goes_to_an_item_that_nobody_speaks_for() -> None:
    line = made()
    assert [item.item_id for item in line[:2]] == SELLING[:2]
    assert line[2].item_id in FRESH
    assert line[2].source is Source.EXPLORE
    assert line[2].reason == "tried out: new in the shop"
    assert line[2].propensity == pytest.approx(1 / 3, abs=1e-6)
    assert line[3].item_id == SELLING[2]
    assert {item.propensity for item in line if item is not line[2]} == {1.0}


def test_each_is_tried_about_as_often_as_the_other() -> None:
    tried = Counter(made(shopper("seen", name=f"shopper {n}"))[2].item_id for n in range(300))
    assert set(tried) == set(FRESH)
    assert min(tried.values()) > 70


def test_the_same_state_tries_the_same_item_and_a_new_event_another_sometime() -> None:
    assert made() == made()
    seen = ANN.recent[0]
    later = [
        Shopper("default", "ann", (msgspec.structs.replace(seen, time_ms=NOW_MS + n),))
        for n in range(20)
    ]
    assert {made(who)[2].item_id for who in later} == set(FRESH)


def test_what_only_the_model_proposes_is_tried_too() -> None:
    taste = FixedTaste(["m"], [2.0])
    shop = FixedShop(best=SHOP.best)
    line = made(shop=shop, taste=taste, length=20, place=20)
    assert [item.source for item in line if item.item_id == "m"] == [Source.EMBEDDING]
    weights = {Source.POPULAR: 1.0, Source.EMBEDDING: 0.1}
    settings = RankingSettings(list_length=3, looked_at=0, explore_place=3, weights=weights)
    (line,) = rank([ANN], shop, taste, settings, NOW_MS).lists
    assert (line[2].item_id, line[2].source, line[2].propensity) == ("m", Source.EXPLORE, 1.0)


def test_nothing_is_tried_where_all_is_known_or_may_not_be_sold() -> None:
    known = FixedShop(best=SHOP.best)
    hidden = FixedShop(
        best=SHOP.best, fresh=FRESH, catalogue={i: entry(i, hidden=True) for i in FRESH}
    )
    for shop in (known, hidden):
        assert [item.item_id for item in made(shop=shop)] == SELLING[:4]


def test_a_shorter_list_gets_it_behind_its_last() -> None:
    few = FixedShop(
        best=SHOP.best[:1], fresh=FRESH, catalogue={i: entry(i, category="c") for i in FRESH}
    )
    settings = RankingSettings(list_length=8, looked_at=0, explore_place=8, per_category=1)
    (line,) = rank([ANN], few, None, settings, NOW_MS).lists
    assert [item.source for item in line] == [Source.POPULAR, Source.NEW, Source.EXPLORE]


def test_a_pin_at_the_place_moves_it_on() -> None:
    line = made(rules=ruled(clearance=pin("s5", place=3)))
    assert [item.source for item in line] == [
        Source.POPULAR,
        Source.POPULAR,
        Source.RULE,
        Source.EXPLORE,
    ]


def test_without_a_place_nothing_is_tried() -> None:
    assert [item.item_id for item in made(place=0)] == SELLING[:4]
