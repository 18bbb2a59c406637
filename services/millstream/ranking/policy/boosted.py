"""Merchandising rules that boost: each multiplies the scores of what it speaks of."""

from __future__ import annotations

import numpy as np

from millstream.domain.rules import RulesInForce
from millstream.ranking.batch import Batch
from millstream.ranking.policy.matching import matches
from millstream.ranking.score import Scored, best_first
from millstream.ranking.shop import Shop


def boost(scored: Scored, batch: Batch, shop: Shop, rules: RulesInForce) -> Scored:
    """Best first again; the very same where no rule boosts."""
    if not rules.boosts:
        return scored
    table = batch.table
    facts = table.facts(scored.items, shop)
    factors = np.ones(scored.items.shape)
    for _, terms in rules.boosts:
        factors[matches([terms], scored.items, table, facts)] *= terms.factor or 1.0
    return best_first(scored._replace(scores=scored.scores * factors), table.ids)
