"""Candidates, score and policy together."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import msgspec
import pytest
from tests.unit.ranking.worlds import NOW_MS, FixedShop, FixedTaste, entry, shopper

from millstream.domain.lists import Source
from millstream.ranking import candidates
from millstream.ranking.rank import rank
from millstream.ranking.settings import RankingSettings

SHOP = FixedShop(
    near={"tea": [("pot", 1.0)]},
    best=[("best", 9.0)],
    fresh=["fresh"],
    catalogue={"tea": entry("tea", title="Green tea"), "fresh": entry("fresh")},
)
MODEL = FixedTaste(["taste"], [1.0])


def test_every_source_finds_its_way_into_the_list_and_says_why() -> None:
    ranked = rank([shopper("tea")], SHOP, MODEL, RankingSettings(), NOW_MS)
    said = {item.item_id: (item.source, item.reason) for item in ranked.lists[0]}
    assert said == {
        "tea": (Source.REPEAT, "you looked at it lately"),
        "pot": (Source.COVISITED, "others took it with Green tea"),
        "taste": (Source.EMBEDDING, "close to your taste, after Green tea"),
        "best": (Source.POPULAR, "popular lately"),
        "fresh": (Source.NEW, "new in the shop"),
    }
    assert not ranked.failed


def test_a_repeat_says_whether_it_was_bought() -> None:
    ann = dataclasses.replace(shopper("tea", "pot"), bought=frozenset({"tea"}))
    ranked = rank([ann], FixedShop(), None, RankingSettings(), NOW_MS)
    reasons = {item.item_id: item.reason for item in ranked.lists[0]}
    assert reasons == {"tea": "you bought it before", "pot": "you looked at it lately"}


def test_an_item_the_catalogue_does_not_have_is_named_by_its_id() -> None:
    shop = FixedShop(near={"x7": [("pot", 1.0)]})
    ranked = rank([shopper("x7")], shop, None, RankingSettings(), NOW_MS)
    reasons = {item.item_id: item.reason for item in ranked.lists[0]}
    assert reasons["pot"] == "others took it with x7"


def test_a_stranger_gets_what_is_popular_and_new() -> None:
    ranked = rank([shopper(name="nobody")], SHOP, None, RankingSettings(), NOW_MS)
    assert [item.item_id for item in ranked.lists[0]] == ["best", "fresh"]


def test_an_empty_shop_gives_an_empty_list() -> None:
    assert rank([shopper()], FixedShop(), None, RankingSettings(), NOW_MS).lists == [()]


def test_nobody_to_rank_for() -> None:
    assert rank([], SHOP, MODEL, RankingSettings(), NOW_MS).lists == []


def test_a_source_that_fails_is_counted_and_the_list_goes_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    broken = SimpleNamespace(SOURCE=Source.COVISITED, propose=fail)
    healthy = [s for s in candidates.SOURCES if s.SOURCE is not Source.COVISITED]
    monkeypatch.setattr(candidates, "SOURCES", (broken, *healthy))
    ranked = rank([shopper("tea")], SHOP, MODEL, RankingSettings(), NOW_MS)
    assert ranked.failed == {Source.COVISITED: 1}
    assert {item.item_id for item in ranked.lists[0]} == {"tea", "taste", "best", "fresh"}


def test_removed_items_are_counted_by_rule_over_all_shoppers() -> None:
    shop = FixedShop(
        best=[("gone", 2.0), ("best", 1.0)], catalogue={"gone": entry("gone", in_stock=False)}
    )
    crowd = [shopper(name="ann"), shopper(name="ben")]
    ranked = rank(crowd, shop, None, RankingSettings(), NOW_MS)
    assert ranked.removed == {"out_of_stock": 2}
    assert [[item.item_id for item in line] for line in ranked.lists] == [["best"], ["best"]]


def test_bought_items_may_fill_the_list_and_looked_at_ones_may_not() -> None:
    items = [f"i{n:02}" for n in range(24)]
    settings = RankingSettings()
    buyer, looker = shopper(*items, bought=items), shopper(*items)
    lists = rank([buyer, looker], FixedShop(), None, settings, NOW_MS).lists
    assert [item.item_id for item in lists[0]] == items[: settings.list_length]
    assert [item.item_id for item in lists[1]] == items[: settings.looked_at]


def test_settings_have_a_digest_of_their_content() -> None:
    default = RankingSettings()
    other = msgspec.structs.replace(default, looked_at=default.looked_at + 1)
    assert default.digest() == RankingSettings().digest() != other.digest()
    assert len(default.digest()) == 12
