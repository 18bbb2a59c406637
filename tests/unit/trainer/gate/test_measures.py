"""Intervals, segments and exposure on numbers that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.trainer.gate.bootstrap import paired
from millstream.trainer.gate.bounds import exposure, gini
from millstream.trainer.gate.segments import Groups, countries_of, segments
from millstream.trainer.split import Query

values = st.lists(
    st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), min_size=1, max_size=40
)


@given(values, st.integers(0, 5))
@settings(deadline=None)
def test_the_interval_lies_within_the_differences_and_turns_with_the_sides(
    pairs: list[tuple[float, float]], seed: int
) -> None:
    ours = {f"s{n}": pair[0] for n, pair in enumerate(pairs)}
    theirs = {f"s{n}": pair[1] for n, pair in enumerate(pairs)}
    there, back = paired(ours, theirs, 200, seed), paired(theirs, ours, 200, seed)
    differences = [first - second for first, second in pairs]
    assert min(differences) - 1e-9 <= there.low <= there.high <= max(differences) + 1e-9
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert paired(ours, theirs, 200, seed) == there


def test_the_interval_has_the_width_of_the_normal_one_where_that_is_known() -> None:
    rng = np.random.default_rng(4)
    drawn = rng.normal(0.1, 1.0, size=400)
    found = paired(
        {f"s{n}": v for n, v in enumerate(drawn)},
        dict.fromkeys([f"s{n}" for n in range(400)], 0.0),
        4000,
        1,
    )
    half = 1.96 * drawn.std() / 20
    assert (found.low, found.high) == pytest.approx(
        (drawn.mean() - half, drawn.mean() + half), abs=0.015
    )


def test_what_two_versions_have_in_common_drops_out() -> None:
    """Shoppers differ a hundred times more than the versions do."""
    rng = np.random.default_rng(5)
    hard = {f"s{n}": float(value) for n, value in enumerate(rng.uniform(size=300))}
    ours = {
        shopper: value + 0.002 + 0.001 * (n % 3) for n, (shopper, value) in enumerate(hard.items())
    }
    found = paired(ours, hard, 500, 1)
    assert 0.0025 < found.low < found.high < 0.0035


def test_segments_hold_what_their_names_say() -> None:
    rows = [("ann", "tea")] * 12 + [("bob", "pot")] * 6 + [("bob", "jam"), ("ann", "cup")]
    before = pl.DataFrame(rows, ["user", "item"], orient="row")
    groups = Groups.of(before)
    assert groups.head_items == {"tea", "pot"}
    assert groups.old_items == {"tea", "pot"}
    asked = [
        Query("ann", 1, (), frozenset({"tea", "jam", "new"})),
        Query("eve", 2, (), frozenset({"tea"})),
    ]
    found = {segment.name: segment.wanted for segment in segments(groups, asked, {})}
    assert found == {
        "overall": ({"tea", "jam", "new"}, {"tea"}),
        "new shoppers": (frozenset(), {"tea"}),
        "light shoppers": (frozenset(), frozenset()),
        "heavy shoppers": ({"tea", "jam", "new"}, frozenset()),
        "new items": ({"jam", "new"}, frozenset()),
        "long tail": ({"jam", "new"}, frozenset()),
    }


def test_the_countries_with_the_most_visits_have_a_segment_each() -> None:
    told = [("ann", "FR"), ("ann", None), ("ann", "GB"), ("bob", None)]
    assert countries_of(pl.DataFrame(told, ["user", "country"], orient="row")) == {"ann": "GB"}
    wanted = frozenset({"tea"})
    of = {f"{code}{n}": code for n, code in enumerate("GGGIIFEEDA")}
    asked = [Query(shopper, 1, (), wanted) for shopper in (*of, *of, "nobody")]
    groups = Groups(frozenset(), frozenset(), frozenset(), frozenset())
    found = {segment.name: segment.wanted for segment in segments(groups, asked, of)}
    assert list(found)[6:] == [f"country {code}" for code in "GEIAD"]
    assert sum(map(bool, found["country G"])) == 6
    assert found["country E"][-1] == frozenset()


def test_exposure_by_hand() -> None:
    found = exposure([["a", "b"], ["a", "x"]], {"a", "b", "c", "d"}, {"a"})
    # Places: a 2, b 1, c 0, d 0, and one for an item that is not known.
    assert found.coverage == 0.5
    assert found.tail_share == 0.5
    assert found.gini == pytest.approx((-3 * 0 - 1 * 0 + 1 * 1 + 3 * 2) / (4 * 3))


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_gini_is_half_the_mean_difference(counts: list[int]) -> None:
    array = np.array(counts, dtype=np.float64)
    if array.sum() == 0:
        assert gini(array) == 0
        return
    mean = np.abs(array[:, None] - array[None, :]).mean()
    assert gini(array) == pytest.approx(mean / (2 * array.mean()))
