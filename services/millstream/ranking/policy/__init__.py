"""The rules in force, in order. A new rule is one file here and one line in RULES."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, cast

import numpy as np

from millstream.domain.rules import NO_RULES, RulesInForce
from millstream.ranking.batch import Batch
from millstream.ranking.items import NOTHING, Codes, Mask
from millstream.ranking.policy import (
    bought_once,
    disliked,
    hidden,
    one_entry,
    out_of_stock,
    per_category,
    popular_places,
    repeats,
    ruled_out,
    running_out,
)
from millstream.ranking.policy.rule import Lines, Rule
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop

# The last three count what they are asked about, so nothing may be removed after per_category, and
# what an earlier one of them lets through but a later one does not has taken room.
RULES: tuple[Rule, ...] = cast(
    tuple[Rule, ...],
    (
        one_entry,
        hidden,
        ruled_out,
        out_of_stock,
        running_out,
        disliked,
        bought_once,
        popular_places,
        repeats,
        per_category,
    ),
)


class Kept(NamedTuple):
    """`columns` (n, at most `list_length`): what stays of each line, best first, NOTHING where
    there is no more; how many each rule removed on the way there."""

    columns: Codes
    removed: Counter[str]


def apply_rules(
    items: Codes,
    batch: Batch,
    shop: Shop,
    settings: RankingSettings,
    rules: RulesInForce = NO_RULES,
) -> Kept:
    """The first `list_length` of `items` (n, w) that every rule keeps. `rules`: those of
    merchandisers, of which the hiding ones are applied here.

    Looks at twice as many first: few lines need more, and those are asked again from the start."""
    columns = np.full((len(items), settings.list_length), NOTHING, dtype=np.int64)
    removed: Counter[str] = Counter()
    pending, width = np.arange(len(items)), 2 * settings.list_length
    while len(pending):
        head = items[pending, :width]
        facts = batch.table.facts(head, shop)
        kept, out = judge(Lines(head, pending, batch, shop, facts, settings, rules))
        settled = (kept.sum(axis=1) >= settings.list_length) | (width >= items.shape[1])
        columns[pending[settled]] = _first(kept[settled], settings.list_length)
        room = settings.list_length - (kept.cumsum(axis=1) - kept)
        looked_at = settled[:, None] & (room > 0)
        removed += Counter({name: int((mask & looked_at).sum()) for name, mask in out.items()})
        pending, width = pending[~settled], 2 * width
    return Kept(columns, removed)


def judge(lines: Lines) -> tuple[Mask, dict[str, Mask]]:
    """What every rule keeps, and what each takes out of what it is asked about; (n, w) each."""
    asked = lines.items != NOTHING
    out = {}
    for rule in RULES:
        keeps = rule.keeps(lines, asked)
        out[rule.NAME] = asked & ~keeps
        asked = asked & keeps
    return asked, out


def _first(kept: Mask, length: int) -> Codes:
    """(n, length) columns of the first `length` that are kept, padded with NOTHING."""
    places = kept.cumsum(axis=1) - 1
    lines, columns = np.nonzero(kept & (places < length))
    first = np.full((len(kept), length), NOTHING, dtype=np.int64)
    first[lines, places[lines, columns]] = columns
    return first
