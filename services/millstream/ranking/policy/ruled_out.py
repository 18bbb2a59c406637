"""A merchandising rule hides the item, or its category."""

import numpy as np

from millstream.ranking.items import Mask
from millstream.ranking.policy.matching import matches
from millstream.ranking.policy.rule import Lines

NAME = "ruled_out"


def keeps(lines: Lines, asked: Mask) -> Mask:
    if not lines.rules.hides:
        return np.ones_like(asked)
    terms = [rule.terms for rule in lines.rules.hides]
    return ~matches(terms, lines.items, lines.batch.table, lines.facts)
