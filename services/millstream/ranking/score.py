"""One score per candidate item: the sum of what each source says for it."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from millstream.domain.lists import Source
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Candidate


class Scored(NamedTuple):
    """`lead`: the candidate that added most to the score; it gives source and reason."""

    item_id: str
    score: float
    lead: Candidate


def score(proposed: Sequence[Sequence[Candidate]], settings: RankingSettings) -> list[list[Scored]]:
    """Per shopper the items, best first; an item that several sources name keeps all that they
    add. Scores that are not finite come last, equal ones in the order of the item ids."""
    return [_score_one(candidates, settings.weights) for candidates in proposed]


def _score_one(candidates: Sequence[Candidate], weights: dict[Source, float]) -> list[Scored]:
    sums: dict[str, float] = {}
    parts: dict[str, float] = {}
    leads: dict[str, Candidate] = {}
    for candidate in candidates:
        item, source, strength, _ = candidate
        part = weights.get(source, 0.0) * strength
        if item not in sums:
            sums[item], parts[item], leads[item] = part, part, candidate
            continue
        sums[item] += part
        if part > parts[item]:
            parts[item], leads[item] = part, candidate
    # Negated, so that tuples sort as wanted without a key function per item.
    finite = sorted((-total, item) for item, total in sums.items() if isfinite(total))
    other = sorted(item for item, total in sums.items() if not isfinite(total))
    ranked = [Scored(item, -total, leads[item]) for total, item in finite]
    return ranked + [Scored(item, sums[item], leads[item]) for item in other]
