"""Which items merchandising rules speak of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from millstream.domain.rules import RuleTerms
from millstream.ranking.items import NOTHING, Codes, Facts, ItemTable, Mask


def matches(terms: Sequence[RuleTerms], items: Codes, table: ItemTable, facts: Facts) -> Mask:
    """In the shape of `items`, whose `facts` must be right; false for NOTHING."""
    ids = table.of(said.item_id for said in terms if said.item_id is not None)
    found: Mask = np.isin(items, ids)
    numbers = table.category_numbers(said.category for said in terms if said.category is not None)
    if len(numbers):
        found |= np.isin(facts.category[items], numbers)
    found &= items != NOTHING
    return found
