"""What each rule in RULES has to keep, and what each takes out of a known list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from tests.unit.ranking.worlds import FixedShop, batch_of, entry, shopper

from millstream.domain.reviews import ReviewCounts
from millstream.domain.rules import NamedRule, RuleKind, RulesInForce, RuleTerms
from millstream.ranking import policy
from millstream.ranking.items import NOTHING
from millstream.ranking.policy import RULES
from millstream.ranking.policy.rule import Lines, Rule
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper

SHOP = FixedShop(
    catalogue={
        "hidden": entry("hidden", hidden=True),
        "sold-out": entry("sold-out", in_stock=False),
        "once": entry("once", bought_once=True),
        "c1": entry("c1", category="cups"),
        "c2": entry("c2", category="cups"),
        "c3": entry("c3", category="cups"),
    },
    best=[("again", 2.0), ("z", 1.0), ("c3", 0.0)],
    days={"running-out": 2.9, "z": 3.0, "seen": 400.0},
    said={
        name: ReviewCounts(tenant="default", item_id=name, good=good, bad=bad)
        for name, good, bad in (("disliked", 9, 11), ("z", 10, 10), ("c1", 0, 19))
    },
)
ANN = shopper("once", "again", "seen", "seen-too", bought=["once", "again"])
SETTINGS = RankingSettings(
    per_category=2,
    bought_before=1,
    looked_at=1,
    popular_places=1,
    popular_items=2,
    least_days_of_stock=3.0,
    most_disliked=0.5,
)
OFFERED = [
    "once",
    "again",
    "hidden",
    "seen",
    "seen-too",
    "sold-out",
    "running-out",
    "disliked",
    "barred",
    "c1",
    "c1",
    "c2",
    "c3",
    "z",
]
BARRED = RulesInForce(hides=(NamedRule("bar", RuleTerms(kind=RuleKind.HIDE, item_id="barred")),))
REMOVES = {
    "one_entry": ["c1"],
    "hidden": ["hidden"],
    "ruled_out": ["barred"],
    "out_of_stock": ["sold-out"],
    "running_out": ["running-out"],
    "disliked": ["disliked"],
    "bought_once": ["once"],
    "popular_places": ["z"],
    "repeats": ["again", "seen-too"],
    "per_category": ["c2", "c3"],  # asked alone, it counts c1 twice
}
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.NAME)


def asked(
    rule: Rule,
    lists: Sequence[Sequence[str]],
    who: Shopper,
    shop: FixedShop,
    rules: RankingSettings,
) -> list[list[bool]]:
    """Which items of each list the rule keeps; all of them `who`'s, in one batch."""
    batch = batch_of([who] * len(lists))
    items = np.array([batch.table.of(line) for line in lists])
    places = np.arange(len(lists), dtype=np.int64)
    facts = batch.table.facts(items, shop)
    lines = Lines(items, places, batch, shop, facts, rules, BARRED)
    kept: list[list[bool]] = rule.keeps(lines, items != NOTHING).tolist()
    return kept


def apply_rules(
    who: Shopper, ranked: Sequence[str], shop: FixedShop, rules: RankingSettings
) -> tuple[list[str], Counter[str]]:
    batch = batch_of([who])
    kept = policy.apply_rules(batch.table.of(ranked)[None, :], batch, shop, rules, BARRED)
    return [ranked[column] for column in kept.columns[0] if column != NOTHING], kept.removed


@every_rule
def test_removes_what_it_is_there_for_and_nothing_else(rule: Rule) -> None:
    (kept,) = asked(rule, [OFFERED], ANN, SHOP, SETTINGS)
    removed = [item for item, keeps in zip(OFFERED, kept, strict=True) if not keeps]
    assert removed == REMOVES[rule.NAME]


@every_rule
def test_remembers_nothing_from_one_list_to_the_next(rule: Rule) -> None:
    first, second = asked(rule, [OFFERED, OFFERED], ANN, SHOP, SETTINGS)
    assert first == second


@every_rule
def test_keeps_what_neither_catalogue_nor_shopper_knows(rule: Rule) -> None:
    unknown = [f"i{n}" for n in range(50)]
    assert asked(rule, [unknown], shopper(), FixedShop(), RankingSettings()) == [[True] * 50]


@pytest.mark.parametrize("rule", RULES[-3:], ids=lambda rule: rule.NAME)
def test_what_an_earlier_rule_took_out_takes_no_room(rule: Rule) -> None:
    """Of two that would fill the room the first is gone already, so the second may stay."""
    who = shopper("seen", "seen-too")
    line = {
        "popular_places": ["again", "z"],
        "repeats": ["seen", "seen-too"],
        "per_category": ["c1", "c2"],
    }[rule.NAME]
    batch = batch_of([who])
    items = batch.table.of(line)[None, :]
    rules = RankingSettings(per_category=1, looked_at=1, popular_places=1)
    lines = Lines(items, np.array([0]), batch, SHOP, batch.table.facts(items, SHOP), rules)
    assert rule.keeps(lines, np.array([[False, True]]))[0, 1]
    assert not rule.keeps(lines, np.array([[True, True]]))[0, 1]


def test_kept_and_removed_account_for_all_that_was_looked_at() -> None:
    kept, removed = apply_rules(ANN, OFFERED, SHOP, SETTINGS)
    assert kept == ["again", "seen", "c1", "c2"]
    assert removed == {
        "bought_once": 1,
        "hidden": 1,
        "ruled_out": 1,
        "popular_places": 1,
        "repeats": 1,
        "out_of_stock": 1,
        "running_out": 1,
        "disliked": 1,
        "one_entry": 1,
        "per_category": 1,
    }
    assert len(kept) + removed.total() == len(OFFERED)


def test_a_stock_may_last_as_short_as_it_will_where_no_days_are_asked_for() -> None:
    shop = FixedShop(days={"a": 0.0, "b": 0.5})
    assert apply_rules(ANN, ["a", "b"], shop, RankingSettings())[0] == []
    every = RankingSettings(least_days_of_stock=0)
    assert apply_rules(ANN, ["a", "b"], shop, every)[0] == ["a", "b"]


def test_stops_looking_when_the_list_is_full() -> None:
    ranked = ["a", "hidden", "b", "c"]
    kept, removed = apply_rules(ANN, ranked, SHOP, RankingSettings(list_length=1))
    assert kept == ["a"]
    assert removed.total() == 0


def test_removed_items_make_room_for_the_next() -> None:
    kept, _ = apply_rules(ANN, ["hidden", "b", "c"], SHOP, RankingSettings(list_length=2))
    assert kept == ["b", "c"]


def test_repeats_can_be_shut_out() -> None:
    none = RankingSettings(bought_before=0, looked_at=0)
    kept, removed = apply_rules(ANN, ["again", "seen", "z"], SHOP, none)
    assert kept == ["z"]
    assert removed == {"repeats": 2}


def test_a_line_of_which_little_stays_is_looked_through_to_its_end() -> None:
    """Many more than twice the list's length are hidden, beside a line that is settled at once."""
    shop = FixedShop(catalogue={f"h{n:03}": entry(f"h{n:03}", hidden=True) for n in range(200)})
    batch = batch_of([shopper(name="ann"), shopper(name="bob")])
    shown = [f"s{n:03}" for n in range(200)]
    mixed = [f"h{n:03}" for n in range(195)] + shown[:5]
    items = np.array([batch.table.of(mixed), batch.table.of(shown)])
    kept = policy.apply_rules(items, batch, shop, RankingSettings(list_length=5))
    assert kept.columns.tolist() == [[195, 196, 197, 198, 199], [0, 1, 2, 3, 4]]
    assert kept.removed == {"hidden": 195}
