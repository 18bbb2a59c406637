from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from tests.unit.insights.demand.made_demand import MONDAY, made_weekly

from millstream.domain.errors import OperatorError
from millstream.insights.demand.evaluate import (
    ORIGINS,
    Scores,
    evaluate_demand,
    score,
    summary,
)
from millstream.insights.demand.forecast import Forecast
from millstream.insights.demand.weeks import WEEK_MS, Weekly

_STAND = np.zeros(2, dtype=np.int64)


def scored() -> Scores:
    """Two items after three weeks: one as told, one two below."""
    units = np.array([[1.0, 2, 4, 5, 5, 5, 5], [2.0, 0, 2, 0, 0, 4, 4]])
    level = np.array([5.0, 2.0])
    made = Forecast(
        np.arange(2),
        _STAND,
        level,
        np.array([5.0, 3.0]),
        np.full((2, 4), 1.0),
        np.full((2, 4), 5.0),
    )
    return score(units, 3, made)


def test_scores_by_hand() -> None:
    found = scored()
    assert (found.actual, found.errors) == (28, 8)
    assert found.naive_errors == {"last_week": 4 + 8, "mean_of_4_weeks": pytest.approx(32 / 3 + 8)}
    assert (found.level, found.expected) == (28, 32)
    assert found.scaled.tolist() == [0, 1]  # steps of 1.5 and 2
    assert found.inside.tolist() == [[True] * 4, [False, False, True, True]]


def test_the_summary_is_of_sums_and_the_better_naive() -> None:
    panel = Weekly(("a", "b"), np.ones((2, 7)), MONDAY)
    found = summary(panel, [scored(), scored()])
    assert (found["wape"], found["naive_wape"]) == (round(8 / 28, 4), round(12 / 28, 4))
    assert (found["naive"], found["below_naive"]) == ("last_week", round(1 / 3, 4))
    assert (found["mase"], found["coverage_80"]) == (0.5, 0.75)
    assert found["coverage_80_by_class"] == {"seldom": 0.75}
    assert found["level_over_actual"] == 1
    assert found["origins"][0]["after_weeks"] == 3


def test_too_few_weeks_are_an_error_that_says_so() -> None:
    lines = pl.DataFrame(
        {
            "item": ["mug"] * 8,
            "type": ["purchase"] * 8,
            "quantity": [1] * 8,
            "time_ms": [week * WEEK_MS for week in range(8)],
        }
    )
    with pytest.raises(OperatorError, match="7 whole weeks"):
        evaluate_demand(lines, print)


def test_a_shop_from_its_lines() -> None:
    made = made_weekly(40, 46, 5)
    row, week = np.nonzero(made.units)
    lines = pl.DataFrame(
        {
            "item": [made.items[each] for each in row],
            "type": ["purchase"] * len(row),
            "quantity": made.units[row, week].astype(np.int64),
            "time_ms": (week * WEEK_MS + 4 * 86_400_000).astype(np.int64),
        }
    )
    told: list[str] = []
    found = evaluate_demand(lines, told.append)
    assert found["wape"] < found["naive_wape"]
    assert 0.7 < found["coverage_80"] < 0.9
    assert [each["after_weeks"] for each in found["origins"]] == [*range(23, 23 + 2 * ORIGINS, 2)]
    assert len(told) == 1 + ORIGINS
