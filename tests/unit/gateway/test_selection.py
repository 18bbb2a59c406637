"""Filters and scenarios of a list."""

from __future__ import annotations

from datetime import UTC, datetime

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.lists import RankedItem, Source
from millstream.domain.rules import Scenario
from millstream.gateway.selection import Wanted, select, settings_for
from millstream.ranking.settings import RankingSettings

ADDED = datetime(2026, 1, 1, tzinfo=UTC)
SHOP = {
    name: CatalogueItem(item_id=name, added_at=ADDED, category=category, price=price)
    for name, category, price in (
        ("a", "mugs", 1.0),
        ("b", "mugs", 2.0),
        ("c", "pots", 3.0),
        ("d", "pots", None),
        ("e", "", 5.0),
    )
}
RANKED = [RankedItem(name, 1.0, Source.POPULAR, "because") for name in "abcdex"]


def chosen(wanted: Wanted, bought: frozenset[str] = frozenset()) -> str:
    return "".join(item.item_id for item in select(RANKED, wanted, bought, SHOP.get))


def test_n_and_exclude_keep_the_order() -> None:
    assert chosen(Wanted(3)) == "abc"
    assert chosen(Wanted(3, exclude=frozenset("bx"))) == "acd"
    assert chosen(Wanted(9)) == "abcdex", "the catalogue need not have an item"


def test_a_filter_takes_only_what_is_known_to_meet_it() -> None:
    assert chosen(Wanted(9, categories=frozenset({"pots", "lamps"}))) == "cd"
    assert chosen(Wanted(9, min_price=2)) == "bce"
    assert chosen(Wanted(9, max_price=2)) == "ab"
    assert chosen(Wanted(9, min_price=2, max_price=3)) == "bc"


def test_scenarios() -> None:
    again = Wanted(9, Scenario.BUY_AGAIN)
    assert chosen(again, frozenset("bd")) == "bd"
    assert chosen(again) == ""
    base = RankingSettings()
    assert settings_for(again, base).bought_before >= base.list_length
    discover = settings_for(Wanted(9, Scenario.DISCOVER), base)
    assert (discover.bought_before, discover.looked_at) == (0, 0)


def test_a_stored_list_answers_only_what_is_plain() -> None:
    assert Wanted(5, exclude=frozenset("a")).is_plain
    for wanted in (
        Wanted(5, Scenario.DISCOVER),
        Wanted(5, categories=frozenset({"mugs"})),
        Wanted(5, min_price=0),
        Wanted(5, max_price=0),
    ):
        assert not wanted.is_plain
