"""The rules in force, in order. A new rule is one file here and one line in RULES."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

from millstream.ranking.policy import (
    bought_once,
    hidden,
    one_entry,
    out_of_stock,
    per_category,
    repeats,
)
from millstream.ranking.policy.rule import Rule
from millstream.ranking.score import Scored
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop, Shopper

# The last two count what they are asked about, so nothing may be removed after per_category, and
# what repeats lets through but per_category does not has taken room.
RULES: tuple[Rule, ...] = cast(
    tuple[Rule, ...], (one_entry, hidden, out_of_stock, bought_once, repeats, per_category)
)


def apply_rules(
    shopper: Shopper, ranked: Sequence[Scored], shop: Shop, settings: RankingSettings
) -> tuple[list[Scored], Counter[str]]:
    """The first `list_length` items that every rule keeps, and how many each rule removed on
    the way there."""
    rules = [(rule.NAME, rule.keeps(shopper, shop, settings)) for rule in RULES]
    kept: list[Scored] = []
    removed: Counter[str] = Counter()
    for scored in ranked:
        if len(kept) == settings.list_length:
            break
        for name, keeps in rules:
            if not keeps(scored):
                removed[name] += 1
                break
        else:
            kept.append(scored)
    return kept, removed
