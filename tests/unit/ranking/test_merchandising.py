"""Lists under merchandising rules."""

from __future__ import annotations

import pytest
from tests.unit.ranking.worlds import NOW_MS, FixedShop, entry, shopper

from millstream.domain.clock import as_datetime
from millstream.domain.lists import RankedItem, Source
from millstream.domain.rules import (
    NO_RULES,
    NamedRule,
    RuleKind,
    RulesInForce,
    RuleTerms,
    Scenario,
    in_force,
)
from millstream.ranking.dissection import dissect
from millstream.ranking.rank import rank
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper

PIN, BOOST, HIDE = RuleKind.PIN, RuleKind.BOOST, RuleKind.HIDE
SELLING = ["a", "b", "c", "d", "e"]
SHOP = FixedShop(
    best=[(item, -float(place)) for place, item in enumerate(SELLING)],
    catalogue={
        **{item: entry(item) for item in SELLING},
        "cup": entry("cup", category="cups"),
        "mug": entry("mug", category="cups"),
        "d": entry("d", category="plates"),
        "shelf-warmer": entry("shelf-warmer"),
        "sold-out": entry("sold-out", in_stock=False),
        "once": entry("once", bought_once=True),
    },
)
SETTINGS = RankingSettings(list_length=5)
STRANGER = shopper(name="nobody")


def ruled(**named: RuleTerms) -> RulesInForce:
    rules = [NamedRule(name, terms) for name, terms in named.items()]
    return in_force(rules, as_datetime(NOW_MS), Scenario.HOME)


def pin(item_id: str | None = None, place: int = 1, category: str | None = None) -> RuleTerms:
    return RuleTerms(kind=PIN, item_id=item_id, category=category, place=place)


def made(
    rules: RulesInForce,
    who: Shopper = STRANGER,
    shop: FixedShop = SHOP,
    settings: RankingSettings = SETTINGS,
) -> tuple[RankedItem, ...]:
    """The list, which taken apart must be the same."""
    (line,) = rank([who], shop, None, settings, NOW_MS, rules=rules).lists
    assert dissect(who, shop, None, settings, NOW_MS, rules).items == line
    return line


def ids(line: tuple[RankedItem, ...]) -> list[str]:
    return [item.item_id for item in line]


def test_the_list_that_the_rules_below_change() -> None:
    assert ids(made(NO_RULES)) == SELLING


def test_a_pin_stands_in_its_place_and_names_its_rule() -> None:
    line = made(ruled(clearance=pin("shelf-warmer", place=2)))
    assert ids(line) == ["a", "shelf-warmer", "b", "c", "d"]
    assert (line[1].source, line[1].reason) == (Source.RULE, "pinned by rule clearance")
    assert {item.source for item in line[:1] + line[2:]} == {Source.POPULAR}


def test_a_pinned_item_that_would_stand_there_anyway_moves_and_keeps_its_score() -> None:
    before, line = made(NO_RULES), made(ruled(up=pin("d", place=1)))
    assert ids(line) == ["d", "a", "b", "c", "e"]
    assert line[0].score == before[3].score


def test_several_pins_each_have_their_place() -> None:
    line = made(ruled(one=pin("e", 1), two=pin("shelf-warmer", 3), three=pin("d", 5)))
    assert ids(line) == ["e", "a", "shelf-warmer", "b", "d"]


def test_of_two_pins_for_one_place_the_first_by_name_stands_there() -> None:
    assert ids(made(ruled(zebra=pin("d", 1), ant=pin("e", 1))))[:2] == ["e", "d"]


def test_a_pin_of_a_category_takes_the_best_of_it_that_is_offered() -> None:
    who = shopper("mug", "cup")  # both are candidates for who looked at them
    line = made(ruled(cups=pin(category="cups", place=3)), who)
    assert (ids(line)[2], line[2].reason) == ("mug", "pinned by rule cups")
    assert ids(line).count("mug") == 1


def test_a_pin_of_a_category_of_which_nothing_is_offered_places_nothing() -> None:
    assert ids(made(ruled(cups=pin(category="cups")))) == SELLING


def test_an_item_that_is_named_is_not_left_to_its_categorys_pin() -> None:
    line = made(ruled(a=pin(category="plates", place=1), b=pin("d", place=3)))
    assert ids(line) == ["a", "b", "d", "c", "e"]


@pytest.mark.parametrize("item", ["sold-out", "not-in-the-catalogue"])
def test_what_can_not_be_sold_is_not_pinned(item: str) -> None:
    assert ids(made(ruled(no=pin(item)))) == SELLING


def test_what_nobody_buys_twice_is_not_pinned_for_who_has_it() -> None:
    rules = ruled(once=pin("once"))
    assert ids(made(rules))[0] == "once"
    assert "once" not in ids(made(rules, shopper("once", bought=["once"])))


def test_what_a_rule_hides_is_not_pinned_by_another() -> None:
    hide = RuleTerms(kind=HIDE, item_id="d")
    assert ids(made(ruled(up=pin("d"), away=hide))) == ["a", "b", "c", "e"]


def test_a_list_of_what_is_new_to_the_shopper_takes_no_pin_that_is_not() -> None:
    new = RankingSettings(list_length=5, bought_before=0, looked_at=0)
    assert "d" not in ids(made(ruled(up=pin("d")), shopper("d"), settings=new))


def test_a_hidden_item_and_a_hidden_category_never_appear() -> None:
    rules = ruled(
        item=RuleTerms(kind=HIDE, item_id="b"), kind=RuleTerms(kind=HIDE, category="cups")
    )
    who = shopper("mug", "cup", "b")
    assert {"b", "cup", "mug"} <= set(ids(made(NO_RULES, who, settings=RankingSettings())))
    assert not {"b", "cup", "mug"} & set(ids(made(rules, who, settings=RankingSettings())))


def test_a_boost_multiplies_the_score_and_is_named() -> None:
    before = {item.item_id: item.score for item in made(NO_RULES)}
    line = made(ruled(plates=RuleTerms(kind=BOOST, category="plates", factor=20.0)))
    assert ids(line)[0] == "d"
    assert line[0].score == pytest.approx(20 * before["d"], abs=1e-5)
    assert line[0].reason == "popular lately, raised by rule plates"
    assert line[1].reason == "popular lately"


def test_several_boosts_multiply_and_one_below_1_sinks() -> None:
    before = {item.item_id: item.score for item in made(NO_RULES)}
    line = made(
        ruled(
            half=RuleTerms(kind=BOOST, item_id="a", factor=0.5),
            fifth=RuleTerms(kind=BOOST, item_id="a", factor=0.2),
        )
    )
    (sunk,) = (item for item in line if item.item_id == "a")
    assert sunk.score == pytest.approx(before["a"] / 10, abs=1e-5)
    assert sunk.reason == "popular lately, lowered by rule fifth, lowered by rule half"
    assert ids(line)[0] == "b"


def test_every_shopper_of_a_batch_has_the_pin_in_place() -> None:
    crowd = [shopper(name="nobody"), shopper("mug", name="ann"), shopper("d", "e", name="bob")]
    lists = rank(crowd, SHOP, None, SETTINGS, NOW_MS, rules=ruled(up=pin("shelf-warmer", 2))).lists
    assert [ids(line)[1] for line in lists] == ["shelf-warmer"] * 3
    assert all(len(set(ids(line))) == len(line) for line in lists)


def test_a_pin_beyond_a_short_list_stands_last() -> None:
    shop = FixedShop(best=[("a", 0.0)], catalogue={"z": entry("z")})
    assert ids(made(ruled(far=pin("z", place=4)), shop=shop)) == ["a", "z"]
