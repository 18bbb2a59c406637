"""Merchandising rules on lists that were made before they came in force, as far as such a list can
follow them without being made anew (remade_lists.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.lists import Source
from millstream.domain.rules import NamedRule, RulesInForce, RuleTerms
from millstream.gateway.answers import AnsweredItem
from millstream.stores.rule_book import RuleBook
from millstream.stores.served_lists import ServedItem

Listed = ServedItem | AnsweredItem
ItemOf = Callable[[str], CatalogueItem | None]


class Ruled:
    """`item_of`: of a tenant's catalogue."""

    def __init__(self, book: RuleBook, item_of: Callable[[str, str], CatalogueItem | None]) -> None:
        self._book = book
        self._item_of = item_of

    def has_rules(self, tenant: str) -> bool:
        """Or had some, which lists may still show."""
        return self._book.has_heard_of(tenant)

    def popular(self, tenant: str, items: Sequence[AnsweredItem]) -> tuple[Listed, ...]:
        """As `of`, of what was scored without rules: boosts, too."""
        boosts = [rule.terms for rule in self._book.in_force(tenant).boosts]

        def boosted(item: Listed) -> float:
            score = item.score
            for terms in boosts:
                if _speaks_of([terms], item.item_id, partial(self._item_of, tenant)):
                    score *= terms.factor or 1.0
            return score

        return self.of(tenant, sorted(items, key=boosted, reverse=True) if boosts else items)

    def of(self, tenant: str, items: Sequence[Listed]) -> tuple[Listed, ...]:
        item_of = partial(self._item_of, tenant)
        return tuple(under_rules(items, self._book.in_force(tenant), item_of))


def under_rules(items: Sequence[Listed], rules: RulesInForce, item_of: ItemOf) -> list[Listed]:
    """Without what is hidden, what is pinned in its place, and without what a rule had put there
    that no longer does."""
    hides = [rule.terms for rule in rules.hides]
    left = [item for item in items if not _speaks_of(hides, item.item_id, item_of)]
    pins: list[tuple[int, Listed]] = []
    for pin in sorted(rules.pins, key=lambda pin: pin.terms.item_id is None):
        found = _pinned(pin, left, hides, item_of)
        if found is not None:
            left = [item for item in left if item.item_id != found.item_id]
            pins.append((pin.terms.place or 1, found))
    left = [item for item in left if item.source is not Source.RULE]
    for at, item in sorted(reversed(pins), key=lambda pin: pin[0]):
        left.insert(at - 1, item)
    return left


def _pinned(
    pin: NamedRule, left: Sequence[Listed], hides: Sequence[RuleTerms], item_of: ItemOf
) -> Listed | None:
    offered = [item for item in left if _speaks_of([pin.terms], item.item_id, item_of)]
    offered.sort(key=lambda item: item.source is not Source.RULE)  # what it placed before stays
    for item in offered:
        if _is_sold(item_of(item.item_id)):
            return AnsweredItem(item.item_id, item.score, Source.RULE)
    named = pin.terms.item_id
    if named is None or _speaks_of(hides, named, item_of):
        return None
    entry = item_of(named)
    # Whether the shopper has it already, a stored list does not say.
    if entry is None or entry.bought_once or not _is_sold(entry):
        return None
    return AnsweredItem(named, 0.0, Source.RULE)


def _is_sold(entry: CatalogueItem | None) -> bool:
    return entry is not None and entry.in_stock and not entry.hidden


def _speaks_of(terms: Iterable[RuleTerms], item_id: str, item_of: ItemOf) -> bool:
    for said in terms:
        if said.item_id is not None:
            if said.item_id == item_id:
                return True
        else:
            entry = item_of(item_id)
            if entry is not None and entry.category == said.category:
                return True
    return False
