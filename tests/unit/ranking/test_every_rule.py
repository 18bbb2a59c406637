"""What each rule in RULES has to keep, and what each takes out of a known list."""

from __future__ import annotations

import pytest
from tests.unit.ranking.worlds import FixedShop, entry, shopper

from millstream.domain.lists import Source
from millstream.ranking.policy import RULES, apply_rules
from millstream.ranking.policy.rule import Rule
from millstream.ranking.score import Scored
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Candidate

SHOP = FixedShop(
    catalogue={
        "hidden": entry("hidden", hidden=True),
        "sold-out": entry("sold-out", in_stock=False),
        "once": entry("once", bought_once=True),
        "c1": entry("c1", category="cups"),
        "c2": entry("c2", category="cups"),
        "c3": entry("c3", category="cups"),
    }
)
ANN = shopper("once", "again", "seen", "seen-too", bought=["once", "again"])
SETTINGS = RankingSettings(per_category=2, bought_before=1, looked_at=1)
OFFERED = ["once", "again", "hidden", "seen", "seen-too", "sold-out", "c1", "c1", "c2", "c3", "z"]
REMOVES = {
    "one_entry": ["c1"],
    "hidden": ["hidden"],
    "out_of_stock": ["sold-out"],
    "bought_once": ["once"],
    "repeats": ["again", "seen-too"],
    "per_category": ["c2", "c3"],  # asked alone, it counts c1 twice
}
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.NAME)


def scored(*items: str) -> list[Scored]:
    return [
        Scored(item, 1.0 - place / 100, Candidate(item, Source.POPULAR, 1.0))
        for place, item in enumerate(items)
    ]


@every_rule
def test_removes_what_it_is_there_for_and_nothing_else(rule: Rule) -> None:
    keep = rule.keeps(ANN, SHOP, SETTINGS)
    assert [s.item_id for s in scored(*OFFERED) if not keep(s)] == REMOVES[rule.NAME]


@every_rule
def test_remembers_nothing_from_one_list_to_the_next(rule: Rule) -> None:
    first, second = (
        [keep(s) for s in scored(*OFFERED)]
        for keep in (rule.keeps(ANN, SHOP, SETTINGS) for _ in range(2))
    )
    assert first == second


@every_rule
def test_keeps_what_neither_catalogue_nor_shopper_knows(rule: Rule) -> None:
    keep = rule.keeps(shopper(), FixedShop(), RankingSettings())
    assert all(keep(s) for s in scored(*(f"i{n}" for n in range(50))))


def test_kept_and_removed_account_for_all_that_was_looked_at() -> None:
    kept, removed = apply_rules(ANN, scored(*OFFERED), SHOP, SETTINGS)
    assert [s.item_id for s in kept] == ["again", "seen", "c1", "c2", "z"]
    assert removed == {
        "bought_once": 1,
        "hidden": 1,
        "repeats": 1,
        "out_of_stock": 1,
        "one_entry": 1,
        "per_category": 1,
    }
    assert len(kept) + removed.total() == len(OFFERED)


def test_stops_looking_when_the_list_is_full() -> None:
    ranked = scored("a", "hidden", "b", "c")
    kept, removed = apply_rules(ANN, ranked, SHOP, RankingSettings(list_length=1))
    assert [s.item_id for s in kept] == ["a"]
    assert removed.total() == 0


def test_removed_items_make_room_for_the_next() -> None:
    kept, _ = apply_rules(ANN, scored("hidden", "b", "c"), SHOP, RankingSettings(list_length=2))
    assert [s.item_id for s in kept] == ["b", "c"]


def test_repeats_can_be_shut_out() -> None:
    none = RankingSettings(bought_before=0, looked_at=0)
    kept, removed = apply_rules(ANN, scored("again", "seen", "z"), SHOP, none)
    assert [s.item_id for s in kept] == ["z"]
    assert removed == {"repeats": 2}
