from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ranking.worlds import Candidate, as_candidates, batch_of, shopper

from millstream.domain.lists import Source
from millstream.ranking.items import NOTHING
from millstream.ranking.score import score as scored_arrays
from millstream.ranking.settings import RankingSettings

SETTINGS = RankingSettings(weights={Source.COVISITED: 1.0, Source.POPULAR: 0.5})


class Entry(NamedTuple):
    item_id: str
    score: float
    lead: Candidate


def score(proposed: Sequence[Sequence[Candidate]], settings: RankingSettings) -> list[list[Entry]]:
    """Per shopper, readable; each candidate as if it came from a source of its own."""
    batch = batch_of([shopper(name=str(place)) for place in range(len(proposed))])
    single = [(who, c) for who, line in enumerate(proposed) for c in line]
    parts = [
        (
            c.source,
            as_candidates(batch, [[c] if place == who else [] for place in range(len(proposed))]),
        )
        for who, c in single
    ]
    scored = scored_arrays(parts, batch, settings)
    return [
        [
            Entry(batch.table.ids[item], total, single[lead][1])
            for item, total, lead in zip(*(c.tolist() for c in line), strict=True)
            if item != NOTHING
        ]
        for line in zip(scored.items, scored.scores, scored.leads, strict=True)
    ]


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


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from("abcdefg"),
                st.sampled_from([0.0, 0.25, 0.5, 1.0, math.nan, math.inf, -math.inf]),
            ),
            max_size=12,
        ),
        max_size=4,
    )
)
def test_every_line_is_what_sums_and_a_sort_say(lines: list[list[tuple[str, float]]]) -> None:
    proposed = [[Candidate(item, Source.POPULAR, s) for item, s in line] for line in lines]
    with np.errstate(invalid="ignore"):  # infinity less infinity
        found = score(proposed, RankingSettings(weights={Source.POPULAR: 1.0}))
    for line, entries in zip(lines, found, strict=True):
        sums: dict[str, float] = {}
        for item, strength in line:
            sums[item] = sums.get(item, 0.0) + strength
        expected = sorted(
            sums,
            key=lambda i: (
                not math.isfinite(sums[i]),
                -sums[i] if math.isfinite(sums[i]) else 0,
                i,
            ),
        )
        assert [entry.item_id for entry in entries] == expected
