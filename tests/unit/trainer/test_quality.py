"""Metrics against an oracle that sorts, and baselines in a world with a known answer."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.trainer.encode import encode
from millstream.trainer.quality.baselines import Covisitation, Popularity
from millstream.trainer.quality.metrics import measure
from millstream.trainer.quality.ranks import NOWHERE, list_ranks, score_ranks
from millstream.trainer.split import Query

K = 3


def oracle(scores: list[float], wanted: list[int], unknown: int) -> tuple[float, float, float]:
    """Each wanted item stands behind every other one of the same score."""
    places = []
    for item in wanted:
        order = sorted(range(len(scores)), key=lambda row: (-scores[row], row == item))
        places.append(order.index(item))
    hits = [place for place in places if place < K]
    n = len(wanted) + unknown
    best = sum(1 / math.log2(place + 2) for place in range(min(n, K)))
    return (
        len(hits) / n,
        1 / (min(hits) + 1) if hits else 0.0,
        sum(1 / math.log2(place + 2) for place in hits) / best,
    )


@given(st.data())
def test_metrics_agree_with_sorting(data: st.DataObject) -> None:
    scores = data.draw(st.lists(st.integers(-2, 2).map(float), min_size=1, max_size=12))
    rows = st.integers(0, len(scores) - 1)
    wanted = data.draw(st.lists(rows, unique=True, max_size=5))
    unknown = data.draw(st.integers(0 if wanted else 1, 2))
    ranks = score_ranks(np.array(scores, dtype=np.float32), wanted, len(wanted) + unknown)
    found = measure(["u"], [ranks], K)
    assert (found.recall[0], found.mrr[0], found.ndcg[0]) == pytest.approx(
        oracle(scores, wanted, unknown)
    )


def test_all_scores_alike_earn_nothing() -> None:
    ranks = score_ranks(np.zeros(50, dtype=np.float32), [0, 1], 2)
    assert measure(["u"], [ranks], 20).means() == {
        "recall_at_20": 0.0,
        "mrr_at_20": 0.0,
        "ndcg_at_20": 0.0,
    }


def test_a_score_that_is_no_number_stands_nowhere() -> None:
    ranks = score_ranks(np.array([np.nan, 1.0, 0.0], dtype=np.float32), [0, 1], 2)
    assert ranks.tolist() == [NOWHERE, 0]


def test_a_list_counts_an_item_at_its_first_place() -> None:
    assert list_ranks(["a", "b", "a", "c"], {"c", "a", "z"}).tolist() == [0, 3, NOWHERE]


def test_each_shopper_counts_as_well_as_the_mean() -> None:
    hit, miss = np.array([0]), np.array([NOWHERE])
    found = measure(["ann", "ann", "bob"], [hit, miss, hit], K)
    assert found.means()[f"recall_at_{K}"] == pytest.approx(2 / 3)
    assert found.per_user(found.recall) == {"ann": 0.5, "bob": 1.0}


def test_no_queries_mean_zero() -> None:
    assert measure([], [], K).means()[f"recall_at_{K}"] == 0.0


def test_covisitation_finds_what_is_bought_together_and_popularity_does_not() -> None:
    baskets = [("tea", "cup")] * 3 + [("nail", "hammer")] * 5 + [("nail", "tea")]
    rows = [
        (f"u{n}", "e", "purchase", item, 10.0, n)
        for n, basket in enumerate(baskets)
        for item in basket
    ]
    names = ["user", "event_id", "type", "item", "weight", "time_ms"]
    lines = pl.DataFrame(rows, names, orient="row")
    data = encode(lines, 24)
    query = Query("new", 99, (("tea", "purchase", 98),), frozenset({"cup"}))
    together = Covisitation(lines, data, 1).scores(query)
    assert data.items[int(together.argmax())] == "cup"
    # cup: 3 / sqrt(4 * 3); nail: 1 / sqrt(4 * 6)
    assert together[data.items.row("cup")] == pytest.approx(3 / math.sqrt(12))
    assert together[data.items.row("nail")] == pytest.approx(1 / math.sqrt(24))
    assert data.items[int(Popularity(data).scores(query).argmax())] == "nail"
    stranger = Query("new", 99, (), frozenset({"cup"}))
    np.testing.assert_array_equal(
        Covisitation(lines, data, 1).scores(stranger), Popularity(data).scores(stranger)
    )
