"""The verdict says why a version may serve or may not."""

from __future__ import annotations

import math

import pytest

from millstream.trainer.gate import judge


@pytest.mark.parametrize(
    ("ours", "popular", "queries", "passed", "said"),
    [
        (0.2, 0.1, 9, True, "recall@20 0.2000 of the whole list against 0.1000 of popularity"),
        (0.1, 0.1, 9, True, "good enough"),
        (0.0999, 0.1, 9, False, "not promoted: recall@20 0.0999"),
        (0.0, 0.0, 0, False, "no visit to measure on"),
        (math.nan, 0.1, 9, False, "not promoted"),
    ],
)
def test_verdict(ours: float, popular: float, queries: int, passed: bool, said: str) -> None:
    metrics = {
        "whole_list_recall_at_20": ours,
        "popularity_recall_at_20": popular,
        "queries": float(queries),
    }
    judgement = judge(metrics, 20)
    assert judgement.passed is passed
    assert said in judgement.verdict
