"""What the rules' topic says, and which of it is in force now."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from millstream.domain.clock import as_datetime
from millstream.domain.identity import record_key
from millstream.domain.rules import (
    NO_RULES,
    MerchandisingRule,
    RuleKind,
    RuleTerms,
    Scenario,
    check_terms,
)
from millstream.stores.rule_book import RuleBook

NOON_MS = 1_767_268_800_000
NOON = as_datetime(NOON_MS)
HOUR = timedelta(hours=1)
HIDE = RuleTerms(kind=RuleKind.HIDE, item_id="a")


class Hour:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ms = NOON_MS

    def __call__(self) -> int:
        return self.ms


def take(book: RuleBook, rule_id: str, terms: RuleTerms | None, tenant: str = "shop") -> None:
    value = None
    if terms is not None:
        value = msgspec.json.encode(MerchandisingRule(tenant=tenant, rule_id=rule_id, terms=terms))
    book.take(record_key(tenant, rule_id), value)


def names(book: RuleBook, scenario: Scenario = Scenario.HOME, tenant: str = "shop") -> list[str]:
    return [rule.rule_id for kind in book.in_force(tenant, scenario) for rule in kind]


def test_later_records_win_and_a_null_value_takes_the_rule_away() -> None:
    book = RuleBook(Hour())
    take(book, "one", HIDE)
    take(book, "one", RuleTerms(kind=RuleKind.BOOST, item_id="a", factor=2.0))
    (boost,) = book.in_force("shop").boosts
    assert (boost.terms.factor, book.in_force("shop").hides) == (2.0, ())
    take(book, "one", None)
    assert book.in_force("shop") is NO_RULES
    assert book.has_heard_of("shop")


def test_a_tenant_has_its_own_rules_alone() -> None:
    book = RuleBook(Hour())
    take(book, "one", HIDE)
    take(book, "one", None, tenant="other")
    assert names(book) == ["one"]
    assert names(book, tenant="other") == []
    assert not book.has_heard_of("third")


def test_a_schedule_begins_and_ends_by_the_clock_without_another_record() -> None:
    clock = Hour()
    book = RuleBook(clock)
    ahead = msgspec.structs.replace(HIDE, starts_at=NOON + HOUR, ends_at=NOON + 2 * HOUR)
    take(book, "later", ahead)
    seen = []
    for ms in (0, 3_599_999, 3_600_000, 7_199_999, 7_200_000):
        clock.ms = NOON_MS + ms
        seen.append(names(book))
    assert seen == [[], [], ["later"], ["later"], []]


def test_a_rule_of_a_scenario_is_in_force_there_alone() -> None:
    book = RuleBook(Hour())
    take(book, "found", msgspec.structs.replace(HIDE, scenario=Scenario.DISCOVER))
    take(book, "all", HIDE)
    assert names(book, Scenario.DISCOVER) == ["all", "found"]
    assert names(book, Scenario.HOME) == ["all"]


def test_what_does_not_read_as_a_rule_is_counted_and_changes_nothing() -> None:
    book = RuleBook(Hour())
    take(book, "one", HIDE)
    for value in (b"", b"{}", b'{"tenant":"shop","rule_id":"one","terms":{"kind":"hide"}}'):
        book.take(record_key("shop", "one"), value)
    assert book.refused == 3
    assert names(book) == ["one"]


@pytest.mark.parametrize(
    ("terms", "names_field"),
    [
        (RuleTerms(kind=RuleKind.HIDE), "item_id or category"),
        (RuleTerms(kind=RuleKind.HIDE, item_id="a", category="cups"), "item_id or category"),
        (RuleTerms(kind=RuleKind.HIDE, item_id="a\u202e"), "item_id"),
        (RuleTerms(kind=RuleKind.PIN, item_id="a"), "place"),
        (RuleTerms(kind=RuleKind.HIDE, item_id="a", place=1), "place"),
        (RuleTerms(kind=RuleKind.BOOST, item_id="a"), "factor"),
        (RuleTerms(kind=RuleKind.HIDE, item_id="a", factor=2.0), "factor"),
        (RuleTerms(kind=RuleKind.HIDE, item_id="a", starts_at=NOON, ends_at=NOON), "ends_at"),
    ],
)
def test_terms_that_do_not_fit_together_are_named(terms: RuleTerms, names_field: str) -> None:
    with pytest.raises(ValueError, match=names_field):
        check_terms(terms)


def test_when_a_schedule_last_turned_is_known() -> None:
    clock, book = Hour(), RuleBook(Hour())
    take(book, "one", HIDE)
    assert book.turned_at("shop") is None
    assert book.turned_at("nobody") is None
    book = RuleBook(clock)
    scheduled = RuleTerms(
        kind=RuleKind.HIDE, item_id="a", starts_at=NOON + HOUR, ends_at=NOON + 2 * HOUR
    )
    take(book, "one", scheduled)
    found = []
    for _ in range(3):
        found.append(book.turned_at("shop"))
        clock.ms += 3_600_000
    assert found == [None, NOON + HOUR, NOON + 2 * HOUR]
