from __future__ import annotations

import numpy as np

from millstream.trainer.stream.proposals import Said, Wanted, joined, ranks
from millstream.trainer.stream.scores import NOWHERE, interval, scores_of


def _said(*lines: tuple[int, int, float]) -> Said:
    questions, items, strengths = zip(*lines, strict=True)
    return Said(
        np.array(questions, np.int32), np.array(items, np.int32), np.array(strengths, np.float32)
    )


def test_ties_count_against_us_and_the_unproposed_stand_nowhere() -> None:
    proposals = {
        "one": _said((0, 5, 1.0), (0, 6, 0.5), (1, 6, 0.5), (1, 7, 0.5)),
        "two": _said((0, 6, 1.0), (1, 8, 0.1)),
    }
    wanted = Wanted(np.array([0, 0, 1, 1, 1]), np.array([5, 6, 7, 8, 9]))
    both = ranks(proposals, {"one": 1.0, "two": 1.0}, wanted)
    assert both.tolist() == [2, 1, 2, 3, NOWHERE]
    assert ranks(proposals, {"one": 1.0, "two": 0.0}, wanted).tolist() == [
        1,
        2,
        2,
        NOWHERE,
        NOWHERE,
    ]
    assert (ranks(proposals, {"one": 0.0}, wanted) == NOWHERE).all()


def test_many_questions_are_ranked_as_if_each_were_asked_alone() -> None:
    rng = np.random.default_rng(6)
    count = 1_500
    lines = [
        (question, int(item), float(rng.random()))
        for question in range(count)
        for item in rng.choice(40, size=6, replace=False)
    ]
    said = _said(*lines)
    wanted = Wanted(np.arange(count), rng.integers(40, size=count))
    found = ranks({"one": said}, {"one": 0.3}, wanted)
    for question in (0, 511, 512, 513, 1_024, count - 1):
        own = {item: strength for q, item, strength in lines if q == question}
        item = int(wanted.items[question])
        expected = sum(s >= own[item] for s in own.values()) if item in own else NOWHERE
        assert found[question] == expected


def test_parts_are_joined_source_by_source() -> None:
    whole = joined([{"one": _said((0, 1, 1.0))}, {"one": _said((1, 2, 0.5), (1, 3, 0.4))}])
    assert whole["one"].questions.tolist() == [0, 1, 1]
    assert whole["one"].span(1, 2).items.tolist() == [2, 3]


def test_recall_is_a_share_and_mrr_the_first_hit() -> None:
    ranks_found = np.array([3, 21, NOWHERE, 20, 1])
    scores = scores_of(ranks_found, np.array([0, 0, 1, 2, 2]), 3)
    assert scores.recall.tolist() == [0.5, 0.0, 1.0]
    assert scores.mrr.tolist() == [1 / 3, 0.0, 1.0]
    assert scores.means() == {"recall_at_20": 0.5, "mrr_at_20": (1 / 3 + 1) / 3}


def test_the_interval_holds_the_mean_and_shrinks_with_questions() -> None:
    rng = np.random.default_rng(7)
    widths = []
    for count in (400, 40_000):
        difference = rng.normal(0.02, 0.3, size=count)
        low, high = interval(difference, np.random.default_rng(0))
        assert low < difference.mean() < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 5
