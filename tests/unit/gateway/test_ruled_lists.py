"""Rules on lists that were made before them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from tests.unit.ranking.worlds import entry

from millstream.domain.lists import Source
from millstream.domain.rules import (
    NO_RULES,
    MerchandisingRule,
    NamedRule,
    RuleKind,
    RulesInForce,
    RuleTerms,
)
from millstream.gateway.answers import AnsweredItem
from millstream.gateway.ruled_lists import Listed, Ruled, under_rules
from millstream.stores.rule_book import RuleBook
from millstream.stores.served_lists import ServedItem

CATALOGUE = {
    **{name: entry(name) for name in "abcd"},
    "cup": entry("cup", category="cups"),
    "mug": entry("mug", category="cups"),
    "gone": entry("gone", in_stock=False),
    "once": entry("once", bought_once=True),
}
STORED = [ServedItem(name, 1.0 - place / 8, Source.POPULAR) for place, name in enumerate("abcd")]


def pin(
    rule_id: str, place: int, item: str | None = None, category: str | None = None
) -> NamedRule:
    terms = RuleTerms(kind=RuleKind.PIN, item_id=item, category=category, place=place)
    return NamedRule(rule_id, terms)


def hide(item: str | None = None, category: str | None = None) -> RulesInForce:
    terms = RuleTerms(kind=RuleKind.HIDE, item_id=item, category=category)
    return RulesInForce(hides=(NamedRule("hide", terms),))


def shown(items: Sequence[Listed], rules: RulesInForce) -> list[str]:
    return [item.item_id for item in under_rules(items, rules, CATALOGUE.get)]


def test_what_is_hidden_goes_and_the_rest_stays_as_it_is() -> None:
    cups = [ServedItem("cup", 2.0, Source.NEW), *STORED, ServedItem("mug", 0.1, Source.NEW)]
    assert shown(cups, hide(item="b")) == ["cup", "a", "c", "d", "mug"]
    assert under_rules(cups, hide(category="cups"), CATALOGUE.get) == STORED


def test_a_pin_is_put_in_its_place_with_the_score_it_had() -> None:
    line = under_rules(STORED, RulesInForce(pins=(pin("up", 2, "d"),)), CATALOGUE.get)
    assert [(item.item_id, item.source) for item in line] == [
        ("a", Source.POPULAR),
        ("d", Source.RULE),
        ("b", Source.POPULAR),
        ("c", Source.POPULAR),
    ]
    assert line[1].score == STORED[3].score


def test_what_was_not_in_the_list_is_pinned_where_it_may_be_sold_to_anybody() -> None:
    for item, stands in (("cup", True), ("gone", False), ("unknown", False), ("once", False)):
        line = shown(STORED, RulesInForce(pins=(pin("up", 1, item),)))
        assert (line[0] == item) is stands, item


def test_done_twice_it_is_as_done_once() -> None:
    rules = RulesInForce(
        pins=(pin("a", 1, "d"), pin("b", 1, "cup"), pin("c", 3, category="cups")),
        hides=hide(item="b").hides,
    )
    stored = [*STORED, ServedItem("mug", 0.1, Source.NEW)]
    once = under_rules(stored, rules, CATALOGUE.get)
    assert [item.item_id for item in once] == ["d", "cup", "mug", "a", "c"]
    assert under_rules(once, rules, CATALOGUE.get) == once


def test_a_categorys_pin_keeps_what_it_placed_before() -> None:
    made = [
        ServedItem("cup", 0.9, Source.NEW),
        ServedItem("a", 0.8, Source.NEW),
        ServedItem("mug", 0.7, Source.RULE),
    ]
    assert shown(made, RulesInForce(pins=(pin("cups", 3, category="cups"),))) == ["cup", "a", "mug"]


def test_what_a_rule_placed_goes_with_the_rule() -> None:
    pinned = under_rules(STORED, RulesInForce(pins=(pin("up", 1, "cup"),)), CATALOGUE.get)
    assert pinned[0].item_id == "cup"
    assert under_rules(pinned, NO_RULES, CATALOGUE.get) == STORED


def test_boosts_order_what_is_popular() -> None:
    book = RuleBook(lambda: 0)
    for n, (item, factor) in enumerate((("d", 100.0), ("a", 0.01))):
        terms = RuleTerms(kind=RuleKind.BOOST, item_id=item, factor=factor)
        rule = MerchandisingRule(tenant="shop", rule_id=f"r{n}", terms=terms)
        book.take(None, msgspec.json.encode(rule))
    shelf = [AnsweredItem(item.item_id, item.score, Source.POPULAR) for item in STORED]
    ruled = Ruled(book, lambda _, item: CATALOGUE.get(item))
    assert [item.item_id for item in ruled.popular("shop", shelf)] == ["d", "b", "c", "a"]
    assert ruled.popular("other", shelf) == tuple(shelf)
