from __future__ import annotations

import numpy as np

from millstream.model.sessions.candidates import Candidates
from millstream.trainer.sessions.data import UNKNOWN
from millstream.trainer.sessions.metrics import (
    NOWHERE,
    candidate_ranks,
    dense_ranks,
    figures,
    paired_interval,
)


def slow_rank(scores: list[float], target: int) -> int:
    """Places in the order that is worst for the target among all that the scores allow."""
    if target == UNKNOWN or scores[target] <= 0:
        return NOWHERE
    order = sorted(range(len(scores)), key=lambda item: (-scores[item], item == target))
    return order.index(target) + 1


def test_ranks_are_those_of_a_full_sort_with_ties_against_us() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 6, (200, 25)).astype(np.float32)
    targets = rng.integers(-1, 25, 200)

    ranks = dense_ranks(scores, targets)

    rows = zip(scores.tolist(), targets.tolist(), strict=True)
    assert ranks.tolist() == [slow_rank(line, target) for line, target in rows]


def test_a_source_that_says_the_same_of_all_items_earns_nothing() -> None:
    ranks = dense_ranks(np.ones((50, 30), dtype=np.float32), np.arange(50) % 30)

    assert figures(ranks)["hr_at_20"] == 0.0


def test_ranks_of_candidates_are_those_of_all_items() -> None:
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 4, (60, 15)).astype(np.float32)
    targets = rng.integers(0, 15, 60)
    session, item = np.nonzero(scores)
    found = Candidates(session, item, scores[session, item][:, None])

    ranks = candidate_ranks(found, scores[session, item], targets)

    assert ranks.tolist() == dense_ranks(scores, targets).tolist()


def test_figures_by_hand() -> None:
    found = figures(np.array([1, 4, 12, 40, NOWHERE]))

    assert found == {
        "hr_at_10": 0.4,
        "mrr_at_10": (1 + 1 / 4) / 5,
        "hr_at_20": 0.6,
        "mrr_at_20": (1 + 1 / 4 + 1 / 12) / 5,
    }


def test_the_interval_holds_a_difference_that_is_there_and_zero_where_none_is() -> None:
    rng = np.random.default_rng(2)
    theirs = rng.random(2_000)

    low, high = paired_interval(theirs + 0.1 + rng.normal(0, 0.5, 2_000), theirs, rng)
    nothing = paired_interval(theirs, rng.permutation(theirs), rng)

    assert 0 < low < 0.1 + 0.05
    assert high > low
    assert nothing[0] < 0 < nothing[1]
