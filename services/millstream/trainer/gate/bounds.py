"""What the lists show of the catalogue: a version may hit as often and still show a few items to
everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import chain
from typing import NamedTuple

import numpy as np

from millstream.model.judgement import Bound
from millstream.model.scorer import Scorer
from millstream.trainer.gate.exam import MODEL, WHOLE_LIST, Exam, Lists, Views
from millstream.trainer.gate.rule import GateRule

KNOWN_SHOPPERS = "known shoppers"
KNOWN_ITEMS = "known items"


class Exposure(NamedTuple):
    """`coverage`: different items in the lists, per known item; `gini`: of the places among the
    known items, 0 where all have as many, near 1 where few have all; `tail_share`: of the places,
    those of items outside the head."""

    coverage: float
    gini: float
    tail_share: float


def reach(exam: Exam, ours: Scorer, theirs: Scorer, rule: GateRule) -> tuple[Bound, ...]:
    """Whom and what of the exam each model has a vector for: shares of its shoppers, and of what
    they wanted. A fresher model knows more, also where the exam's lists show little of it yet."""
    shoppers = {query.user for query in exam.queries}
    wanted = [item for query in exam.queries for item in query.wanted]
    found = []
    for name, ids, tables in (
        (KNOWN_SHOPPERS, shoppers, (ours.users, theirs.users)),
        (KNOWN_ITEMS, wanted, (ours.items, theirs.items)),
    ):
        mine, other = (sum(each in table for each in ids) / max(1, len(ids)) for table in tables)
        limit = max(0.0, rule.coverage_kept * other - rule.least_margin)
        found.append(Bound(MODEL, name, mine, other, limit, mine >= limit))
    return tuple(found)


def exposure(lists: Lists, known: Collection[str], head: Collection[str]) -> Exposure:
    """`known`: every item that could have been shown, at least one."""
    places = Counter(chain.from_iterable(lists))
    counts = np.zeros(len(known))
    shown = [count for item, count in places.items() if item in known]
    counts[: len(shown)] = shown
    tail = sum(count for item, count in places.items() if item not in head)
    return Exposure(len(shown) / len(known), gini(counts), tail / max(1, places.total()))


def gini(counts: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Half of the mean difference between two of the counts, relative to their mean; 0 where
    nothing was counted."""
    if counts.sum() == 0:
        return 0.0
    ranks = 2 * np.arange(1, len(counts) + 1) - len(counts) - 1
    return float((ranks * np.sort(counts)).sum() / (len(counts) * counts.sum()))


def bounds(exam: Exam, ours: Views, theirs: Views, rule: GateRule) -> tuple[Bound, ...]:
    """Of whole lists, which are what shoppers see: a version that is staler shows what has left the
    head since, so by itself it always has more of the tail. Without queries nothing is shown and
    nothing is judged."""
    if not exam.queries:
        return ()
    known, head = exam.known_items, exam.groups.head_items
    mine, other = (exposure(views[WHOLE_LIST], known, head) for views in (ours, theirs))
    found = []
    for name in ("coverage", "tail_share"):
        limit = max(0.0, rule.coverage_kept * getattr(other, name) - rule.least_margin)
        value = getattr(mine, name)
        found.append(Bound(WHOLE_LIST, name, value, getattr(other, name), limit, value >= limit))
    limit = other.gini + rule.gini_rise
    return (*found, Bound(WHOLE_LIST, "gini", mine.gini, other.gini, limit, mine.gini <= limit))
