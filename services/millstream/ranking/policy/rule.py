"""What every rule is: it names what it takes out of lists, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.rules import NO_RULES, RulesInForce
from millstream.ranking.batch import Batch
from millstream.ranking.items import NOTHING, Codes, Facts, Mask
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop


@dataclass(frozen=True)
class Lines:
    """The beginnings of the lists of some shoppers, best first: `items` (n, w) codes, NOTHING
    where a line has ended; `shoppers` (n,) their places in the batch; `rules`: of merchandisers."""

    items: Codes
    shoppers: Codes
    batch: Batch
    shop: Shop
    facts: Facts
    settings: RankingSettings
    rules: RulesInForce = NO_RULES

    @cached_property
    def bought(self) -> Mask:
        """(n, w) whether the line's shopper bought the item."""
        return self.batch.bought(self.items, self.shoppers)

    @cached_property
    def touched(self) -> Mask:
        """(n, w) whether the line's shopper touched the item lately."""
        return self.batch.touched(self.items, self.shoppers)

    def where(self, holds: Callable[[CatalogueItem], bool]) -> Mask:
        """(n, w) whether the catalogue has the item and its entry is so; asked once per item. For
        what `facts` does not hold."""
        codes, which = self._distinct
        entries = [self.shop.item(self.batch.table.ids[code]) for code in codes.tolist()]
        so = [entry is not None and holds(entry) for entry in entries]
        # One more, which is NOTHING's.
        return np.array([*so, False], dtype=np.bool_)[which]

    @cached_property
    def _distinct(self) -> tuple[Codes, Codes]:
        there = self.items != NOTHING
        codes, which = np.unique(self.items[there], return_inverse=True)
        places = np.full(self.items.shape, NOTHING, dtype=np.int64)
        places[there] = which
        return codes, places


class Rule(Protocol):
    """`keeps(lines, asked)`, (n, w): false where the rule takes an item out. `asked`: what the
    rules before let through; a rule that counts counts these alone, from the best on."""

    NAME: str

    def keeps(self, lines: Lines, asked: Mask) -> Mask: ...
