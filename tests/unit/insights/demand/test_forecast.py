from __future__ import annotations

import numpy as np
import pytest
from tests.unit.insights.demand.made_demand import made_weekly

from millstream.insights.demand.forecast import (
    FIRST_FORECAST,
    HORIZON,
    LEAST_SOLD_WEEKS,
    Forecasts,
)
from millstream.insights.demand.methods import METHODS, levels
from millstream.insights.demand.weeks import Weekly

WEEKS = FIRST_FORECAST + 10


@pytest.fixture(scope="module")
def made() -> Weekly:
    return made_weekly(80, WEEKS, 0)


@pytest.fixture(scope="module")
def forecasts(made: Weekly) -> Forecasts:
    return Forecasts(made)


def test_every_method_tells_a_steady_demand() -> None:
    told = levels(np.full((2, 30), 7.0))
    assert told.shape == (2, len(METHODS))
    by_name = dict(zip(METHODS, told[0], strict=True))
    assert by_name.pop("none") == 0
    assert by_name.pop("croston-sba") == pytest.approx(7 * 0.95)  # its bias correction, alpha .1
    assert [*by_name.values()] == pytest.approx([7] * len(by_name))


def test_a_level_stays_with_its_item() -> None:
    units = made_weekly(30, 30, 3).units
    order = np.random.default_rng(0).permutation(30)
    assert levels(units[order]) == pytest.approx(levels(units)[order])


def test_weeks_from_the_origin_on_change_nothing(made: Weekly, forecasts: Forecasts) -> None:
    later = made.units.copy()
    later[:, FIRST_FORECAST + 2 :] += 1_000
    known = forecasts.at(FIRST_FORECAST + 2)
    told = Forecasts(Weekly(made.items, later, made.first_monday)).at(FIRST_FORECAST + 2)
    for name in ("rows", "level", "expected", "low", "high"):
        assert np.array_equal(getattr(told, name), getattr(known, name)), name


def test_the_next_weeks_of_a_steady_shop(made: Weekly, forecasts: Forecasts) -> None:
    told = forecasts.at(WEEKS - HORIZON)
    units = made.units[told.rows]
    actual = units[:, -HORIZON:]
    inside = ((told.low <= actual) & (actual <= told.high)).mean()
    assert 0.7 < inside < 0.9
    assert np.all((told.low >= 0) & (told.low <= told.high))
    assert told.expected.sum() == pytest.approx(actual.sum() / HORIZON, rel=0.1)
    last = np.abs(actual - units[:, -HORIZON - 1, None]).sum()
    assert np.abs(actual - told.level[:, None]).sum() < 0.85 * last


def test_items_that_sold_in_too_few_weeks_are_told_nothing(made: Weekly) -> None:
    units = made.units.copy()
    units[0] = 0
    units[0, FIRST_FORECAST - LEAST_SOLD_WEEKS + 1 : FIRST_FORECAST] = 5
    units[1] = 0
    units[1, FIRST_FORECAST - LEAST_SOLD_WEEKS : FIRST_FORECAST] = 5
    told = Forecasts(Weekly(made.items, units, made.first_monday)).at(FIRST_FORECAST)
    assert told.rows[0] == 1
