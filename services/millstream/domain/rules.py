"""What a merchandiser lays down for lists: pin, boost, hide; and how such rules change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from millstream.domain.events import Id, Tenant, Text, Timestamp, is_clean_id

MAX_PLACE = 200
MAX_FACTOR = 100

RuleId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$(?!\n)")]
ChangeId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$(?!\n)")]


class Scenario(StrEnum):
    """Where the list will stand."""

    HOME = "home"
    """The shopper's list as it is."""
    DISCOVER = "discover"
    """Nothing that the shopper looked at or bought before."""
    BUY_AGAIN = "buy_again"
    """Only what the shopper bought before."""


class RuleKind(StrEnum):
    PIN = "pin"
    """At `place` stands the item, or of the category the best that the shopper is offered."""
    BOOST = "boost"
    """The score is multiplied by `factor`; below 1 it sinks."""
    HIDE = "hide"
    """In no list at all."""


class RuleTerms(Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """What a rule says; of `item_id` and `category` one. In force from `starts_at` on and before
    `ends_at`, in lists of `scenario`; where one is not given: always, and in all."""

    kind: RuleKind
    item_id: Id | None = None
    category: Annotated[Text, Meta(min_length=1)] | None = None
    place: Annotated[int, Meta(ge=1, le=MAX_PLACE)] | None = None
    factor: Annotated[float, Meta(gt=0, le=MAX_FACTOR)] | None = None
    starts_at: Timestamp | None = None
    ends_at: Timestamp | None = None
    scenario: Scenario | None = None
    note: Annotated[str, Meta(max_length=256)] = ""

    def is_in_force(self, now: datetime, scenario: Scenario) -> bool:
        return (
            (self.starts_at is None or self.starts_at <= now)
            and (self.ends_at is None or now < self.ends_at)
            and (self.scenario is None or self.scenario is scenario)
        )


class MerchandisingRule(Struct, frozen=True, kw_only=True):
    """An upsert; a record with a null value takes the rule away."""

    tenant: Tenant
    rule_id: RuleId
    terms: RuleTerms


class RuleChange(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Who did what to a rule, and when. `key_id` and `key_note`: of the API key. `before`, `after`:
    nothing where there was, or is, no such rule. `undoes`: the change that this one takes back."""

    tenant: Tenant
    change_id: ChangeId
    rule_id: RuleId
    changed_at: Timestamp
    key_id: Annotated[str, Meta(max_length=64)]
    key_note: Annotated[str, Meta(max_length=128)] = ""
    before: RuleTerms | None = None
    after: RuleTerms | None = None
    undoes: ChangeId | None = None


class NamedRule(NamedTuple):
    rule_id: str
    terms: RuleTerms


class RulesInForce(NamedTuple):
    """Those of one tenant and scenario at one moment; pins by their places, the rest by name."""

    pins: tuple[NamedRule, ...] = ()
    boosts: tuple[NamedRule, ...] = ()
    hides: tuple[NamedRule, ...] = ()

    @property
    def hiding_only(self) -> RulesInForce:
        """For lists that are of a kind of their own, as items like one."""
        return RulesInForce(hides=self.hides) if self.hides else NO_RULES


NO_RULES = RulesInForce()


def check_terms(terms: RuleTerms) -> None:
    """What the types cannot say. Raises ValueError; its text names the field, never the value."""
    if (terms.item_id is None) == (terms.category is None):
        raise ValueError("item_id or category: one of them")
    if terms.item_id is not None and not is_clean_id(terms.item_id):
        raise ValueError("item_id has a character that ids may not have")
    if (terms.kind is RuleKind.PIN) != (terms.place is not None):
        raise ValueError("place: with kind pin, and only there")
    if (terms.kind is RuleKind.BOOST) != (terms.factor is not None):
        raise ValueError("factor: with kind boost, and only there")
    begins, ends = terms.starts_at, terms.ends_at
    if begins is not None and ends is not None and ends <= begins:
        raise ValueError("ends_at: later than starts_at")


def in_force(rules: Iterable[NamedRule], now: datetime, scenario: Scenario) -> RulesInForce:
    of_kind: dict[RuleKind, list[NamedRule]] = {kind: [] for kind in RuleKind}
    for rule in rules:
        if rule.terms.is_in_force(now, scenario):
            of_kind[rule.terms.kind].append(rule)
    pins = sorted(of_kind[RuleKind.PIN], key=lambda rule: (rule.terms.place, rule.rule_id))
    boosts, hides = (sorted(of_kind[kind]) for kind in (RuleKind.BOOST, RuleKind.HIDE))
    found = RulesInForce(tuple(pins), tuple(boosts), tuple(hides))
    return found if any(found) else NO_RULES


def turns(rules: Iterable[NamedRule]) -> Iterator[datetime]:
    """When a schedule puts one in force or ends it."""
    for rule in rules:
        for at in (rule.terms.starts_at, rule.terms.ends_at):
            if at is not None:
                yield at
