"""Merchandising rules that pin: at its place in a list stands what the rule names, where it may be
sold to this shopper."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from millstream.domain.rules import NamedRule, RulesInForce
from millstream.ranking.batch import Batch
from millstream.ranking.items import NOTHING, Codes, Mask
from millstream.ranking.policy import bought_once, hidden, out_of_stock, ruled_out
from millstream.ranking.policy.matching import matches
from millstream.ranking.policy.rule import Lines
from millstream.ranking.score import Scored
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop

MUST_KEEP = (hidden, ruled_out, out_of_stock, bought_once)
"""What a pin does not overrule; what only counts items of a kind it does."""


class Placed(NamedTuple):
    """`columns` as policy.Kept has them; `pins[i]`: by column of line i the rule that placed it."""

    columns: Codes
    pins: list[dict[int, str]]


def place(
    columns: Codes,
    scored: Scored,
    batch: Batch,
    shop: Shop,
    settings: RankingSettings,
    rules: RulesInForce,
) -> Placed:
    """Of two pins for one place the first by name stands there, the other next to it. In a list
    that is shorter than the place the item stands last."""
    if not rules.pins or not scored.items.shape[1]:
        return Placed(columns, [])
    everyone = np.arange(len(columns), dtype=np.int64)
    facts = batch.table.facts(scored.items, shop)
    lines = Lines(scored.items, everyone, batch, shop, facts, settings, rules)
    chosen = _chosen(rules.pins, lines)
    placed, by_line = columns.copy(), []
    for line in range(len(columns)):
        pins = [(rule, int(at[line])) for rule, at in chosen if at[line] != NOTHING]
        taken = {at for _, at in pins}
        row = [at for at in columns[line].tolist() if at != NOTHING and at not in taken]
        for rule, at in pins:
            row.insert((rule.terms.place or 1) - 1, at)
        row = row[: columns.shape[1]]
        placed[line] = row + [NOTHING] * (columns.shape[1] - len(row))
        by_line.append({at: rule.rule_id for rule, at in pins})
    return Placed(placed, by_line)


def _chosen(pins: tuple[NamedRule, ...], lines: Lines) -> list[tuple[NamedRule, Codes]]:
    """Per pin the column of each line that it takes, or NOTHING; an item that is named is not left
    to a pin of its category. In the order in which they are to be put in: of one place the first
    by name last, which moves the others on."""
    free = may_stand(lines)
    everyone = np.arange(len(free))
    chosen = []
    for pin in sorted(pins, key=lambda pin: pin.terms.item_id is None):
        offered = free & matches([pin.terms], lines.items, lines.batch.table, lines.facts)
        found, at = offered.any(axis=1), offered.argmax(axis=1)
        free[everyone[found], at[found]] = False
        chosen.append((pin, np.where(found, at, NOTHING)))
    return sorted(
        sorted(chosen, key=lambda one: one[0].rule_id, reverse=True),
        key=lambda one: one[0].terms.place or 1,
    )


def may_stand(lines: Lines) -> Mask:
    """(n, w) what may be sold to the line's shopper, however many of a kind stand in the list."""
    asked: Mask = lines.items != NOTHING
    for rule in MUST_KEEP:
        asked &= rule.keeps(lines, asked)
    if not lines.settings.bought_before:  # a list of what is new to the shopper
        asked &= ~lines.bought
    if not lines.settings.looked_at:
        asked &= ~lines.touched | lines.bought
    return asked
