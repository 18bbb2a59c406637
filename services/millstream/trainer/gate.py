"""Stage 7: may this version serve? The verdict tells the operator why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from millstream.trainer.evaluate import POPULARITY, WHOLE_LIST


class Judgement(NamedTuple):
    passed: bool
    verdict: str


def judge(metrics: Mapping[str, float], k: int) -> Judgement:
    """Passed where the whole list recalls at least what popularity does. Without a query there
    is nothing to judge by, and nothing is promoted."""
    ours, popular = (metrics[f"{name}_recall_at_{k}"] for name in (WHOLE_LIST, POPULARITY))
    queries = round(metrics["queries"])
    if queries == 0:
        return Judgement(False, "not promoted: the test part holds no visit to measure on")
    compared = (
        f"recall@{k} {ours:.4f} of the whole list against {popular:.4f} of popularity "
        f"on {queries} visits"
    )
    if not ours >= popular:
        return Judgement(False, f"not promoted: {compared}")
    return Judgement(True, f"good enough: {compared}")
