"""Exposure and relevance by hand, and quality by group on lists whose hits are known."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from tests.unit.trainer.gate.worlds import COUNT, EXAM, views

from millstream.domain.catalogue import CatalogueItem
from millstream.model.embeddings import ServingRule
from millstream.model.fairness import Fairness, ItemGroup
from millstream.model.scorer import Scorer
from millstream.ranking.settings import RankingSettings
from millstream.trainer.encode import encode
from millstream.trainer.fairness import bound_costs, fairness
from millstream.trainer.fitting import Fit, assemble
from millstream.trainer.gate.exam import WHOLE_LIST, Exam
from millstream.trainer.gate.rule import GateRule
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.split import Query
from millstream.trainer.whole_list import RankedLists

RULE = GateRule(resamples=200)
HITS = [3 if place % 10 == 0 else 1 for place in range(COUNT)]
"""New shoppers get all three that they want, the others one."""


def catalogue() -> dict[str, CatalogueItem]:
    """A price of 1 to 8 and a category by an item's number; every hundredth has neither."""
    return {
        f"i{n:03}": CatalogueItem(
            item_id=f"i{n:03}",
            added_at=datetime(2026, 1, 1, tzinfo=UTC),
            category=f"c{n % 2}" if n % 100 else "",
            price=float(n % 8 + 1) if n % 100 else None,
        )
        for n in range(200)
    }


def measured() -> Fairness:
    return fairness(EXAM, views(HITS)[WHOLE_LIST], catalogue(), RULE)


def groups(kind: str) -> dict[str, ItemGroup]:
    return {group.name: group for group in measured().items if group.kind == kind}


def test_quality_by_group_of_shoppers() -> None:
    found = {group.name: group for group in measured().shoppers}
    new, light, heavy = (found[f"{name} shoppers"] for name in ("new", "light", "heavy"))
    assert (new.shoppers, light.shoppers + heavy.shoppers) == (12, 108)
    assert (new.recall, new.recall_low, new.recall_high) == (1.0, 1.0, 1.0)
    assert (light.recall_low, light.recall, light.recall_high) == pytest.approx((1 / 3,) * 3)
    assert heavy.shoppers == 0, "all old shoppers have as many lines"


def test_quality_by_country() -> None:
    """By the worlds' own division those of FR are the new ones."""
    found = {group.name: group for group in measured().shoppers}
    assert (found["country FR"].shoppers, found["country GB"].shoppers) == (12, 108)
    assert (found["country FR"].recall, found["country FR"].recall_low) == (1.0, 1.0)
    assert found["country GB"].recall == pytest.approx(1 / 3)


def test_shares_of_each_kind_make_a_whole() -> None:
    for kind in ("category", "price", "age", "popularity"):
        found = groups(kind).values()
        assert sum(group.exposure for group in found) == pytest.approx(1)
        assert sum(group.relevance for group in found) == pytest.approx(1)
        assert sum(group.items for group in found) == len(EXAM.known_items)


def test_exposure_counts_the_first_places_most() -> None:
    """What nobody wanted stands behind, under names that no catalogue has."""
    category = groups("category")
    shown = sum(group.exposure for name, group in category.items() if name != "none given")
    places = [1.0, 0.63093, 0.5]  # 1 / log2(2), 1 / log2(3), 1 / log2(4)
    whole = sum(1 / log for log in _logs())
    wanted = (12 * sum(places) + 108 * places[0]) / (120 * whole)
    assert shown == pytest.approx(wanted, rel=0.02)  # a few have no category
    assert category["c1"].relevance == pytest.approx(0.5, abs=0.02)


def _logs() -> list[float]:
    from math import log2

    return [log2(place + 2) for place in range(20)]


def test_price_bands_hold_as_many_items_each() -> None:
    found = groups("price")
    assert set(found) == {"up to 2.00", "up to 4.00", "up to 6.00", "over 6.00", "none given"}
    sizes = [group.items for name, group in found.items() if name != "none given"]
    assert max(sizes) - min(sizes) <= 2


def test_without_a_catalogue_nothing_is_made_up() -> None:
    found = fairness(EXAM, views(HITS)[WHOLE_LIST], {}, RULE)
    names = {
        (group.kind, group.name) for group in found.items if group.kind in {"category", "price"}
    }
    assert names == {("category", "none given"), ("price", "none given")}


def test_a_tighter_bound_gives_the_long_tail_more_places_and_the_best_sellers_fewer(
    factorise: Fit,
) -> None:
    """Sixty shoppers by the recommenders' own ranking, in a shop where few things sell most."""
    rng = np.random.default_rng(3)
    shares = 1 / np.arange(1, 121)
    rows = [
        (f"s{shopper}", f"e{visit}", "purchase", f"i{item:03}", 1_000_000 * visit + shopper)
        for visit in range(6)
        for shopper in range(60)
        for item in rng.choice(120, size=3, replace=False, p=shares / shares.sum())
    ]
    before = pl.DataFrame(rows, ["user", "event_id", "type", "item", "time_ms"], orient="row")
    before = before.with_columns(weight=pl.lit(1.0, pl.Float32)).select(
        "user", "event_id", "type", "item", "weight", "time_ms"
    )
    asked = [Query(f"s{n}", 7_000_000 + n, (), frozenset({f"i{n:03}"})) for n in range(60)]
    exam, learning = Exam.on(before, asked, 20), TrainerSettings(dimensions=8).training()
    data = encode(before, 4)
    serving = ServingRule(recent_items=4, recent_half_life=10.0, recent_share=0.5)
    fitted = factorise(data, learning, lambda _: False, None)
    scorer = Scorer(assemble(data, fitted, serving, learning.ridge))
    shop = RankedLists("default", RankingSettings(popular_items=20), dict).standing(before)
    costs = bound_costs(exam, scorer, shop, RULE)
    assert [cost.popular_places for cost in costs] == [20, 15, 10, 5]
    tails = [cost.tail_share for cost in costs]
    assert all(wider < tighter for wider, tighter in pairwise(tails)), tails
    assert (costs[0].low, costs[0].high) == (0, 0), "beside itself, unbounded"
