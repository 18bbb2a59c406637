from __future__ import annotations

import math

import pytest

from millstream.domain.lists import Source
from millstream.ranking.score import score
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Candidate

SETTINGS = RankingSettings(weights={Source.COVISITED: 1.0, Source.POPULAR: 0.5})


def test_what_several_sources_say_adds_up_and_the_greatest_part_leads() -> None:
    covisited = Candidate("b", Source.COVISITED, 0.4, "tea")
    ((first, second),) = score(
        [[Candidate("a", Source.COVISITED, 0.5), Candidate("b", Source.POPULAR, 0.6), covisited]],
        SETTINGS,
    )
    assert (first.item_id, first.lead) == ("b", covisited)
    assert first.score == pytest.approx(0.7)
    assert (second.item_id, second.score) == ("a", 0.5)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_come_last(odd: float) -> None:
    ((*finite, last),) = score(
        [[Candidate(name, Source.POPULAR, s) for name, s in (("a", odd), ("b", 0), ("c", 1))]],
        SETTINGS,
    )
    assert [s.item_id for s in finite] == ["c", "b"]
    assert last.item_id == "a"


def test_equal_scores_stand_in_the_order_of_ids() -> None:
    ((*items,),) = score([[Candidate(i, Source.POPULAR, 1.0) for i in "cab"]], SETTINGS)
    assert [s.item_id for s in items] == ["a", "b", "c"]


def test_a_source_without_a_weight_adds_nothing() -> None:
    ((only,),) = score([[Candidate("a", Source.NEW, 1.0)]], SETTINGS)
    assert only.score == 0.0


def test_each_shopper_apart() -> None:
    lines = score([[], [Candidate("a", Source.POPULAR, 1.0)]], SETTINGS)
    assert [[s.item_id for s in line] for line in lines] == [[], ["a"]]
