"""A list taken apart is the list that is served, and its parts add up."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.ranking.worlds import NOW_MS, FixedShop, FixedTaste, entry, shopper

from millstream.domain.lists import Source
from millstream.ranking.dissection import dissect
from millstream.ranking.rank import rank
from millstream.ranking.settings import RankingSettings

SHOP = FixedShop(
    near={"tea": [("pot", 0.6), ("secret", 0.3), ("gone", 0.1)]},
    best=[("best", 9.0), ("pot", 8.0), ("secret", 7.5)],
    fresh=["fresh"],
    catalogue={
        "tea": entry("tea", title="Green tea"),
        "secret": entry("secret", hidden=True),
        "gone": entry("gone", in_stock=False),
        "fresh": entry("fresh"),
    },
)
MODEL = FixedTaste(["taste"], [1.0])
SETTINGS = RankingSettings()


@pytest.mark.parametrize("length", [1, 3, 20])
def test_it_is_the_list_that_rank_makes(length: int) -> None:
    settings = msgspec.structs.replace(SETTINGS, list_length=length)
    found = dissect(shopper("tea"), SHOP, MODEL, settings, NOW_MS)
    assert found.items == rank([shopper("tea")], SHOP, MODEL, settings, NOW_MS).lists[0]


def test_what_each_source_adds_makes_the_score() -> None:
    found = dissect(shopper("tea"), SHOP, MODEL, SETTINGS, NOW_MS)
    assert found.parts["pot"].keys() == {Source.COVISITED, Source.POPULAR}
    for item in found.items:
        assert sum(found.parts[item.item_id].values()) == pytest.approx(item.score, abs=1e-3)


def test_what_a_rule_took_out_is_named_with_it_best_first() -> None:
    found = dissect(shopper("tea"), SHOP, MODEL, SETTINGS, NOW_MS)
    assert [(item, rule) for item, _, rule in found.removed] == [
        ("secret", "hidden"),
        ("gone", "out_of_stock"),
    ]
    counted = rank([shopper("tea")], SHOP, MODEL, SETTINGS, NOW_MS).removed
    assert counted == {"hidden": 1, "out_of_stock": 1}


def test_what_stands_after_the_lists_end_was_not_taken_out() -> None:
    short = msgspec.structs.replace(SETTINGS, list_length=1)
    assert dissect(shopper("tea"), SHOP, MODEL, short, NOW_MS).removed == ()


def test_a_stranger_in_an_empty_shop() -> None:
    found = dissect(shopper(), FixedShop(), None, SETTINGS, NOW_MS)
    assert (found.items, found.parts, found.removed) == ((), {}, ())
