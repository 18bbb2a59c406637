"""One score per candidate item: the sum of what each source says for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    leads: dict[str, tuple[float, Candidate]] = {}
    for candidate in candidates:
        part = weights.get(candidate.source, 0.0) * candidate.strength
        sums[candidate.item_id] = sums.get(candidate.item_id, 0.0) + part
        if candidate.item_id not in leads or part > leads[candidate.item_id][0]:
            leads[candidate.item_id] = (part, candidate)
    scored = [Scored(item, total, leads[item][1]) for item, total in sums.items()]
    return sorted(scored, key=_order)


def _order(scored: Scored) -> tuple[bool, float, str]:
    finite = math.isfinite(scored.score)
    return (not finite, -scored.score if finite else 0.0, scored.item_id)
