from __future__ import annotations

import numpy as np

from millstream.insights.demand.intervals import COVERAGE, error_quantiles, scales


def test_a_scale_is_never_zero() -> None:
    units = np.array([[5.0, *[0.0] * 8], [0.0, *[3.0] * 8]])
    assert scales(units).tolist() == [1, 4]


def test_the_quantiles_hold_the_promised_share_by_class_and_week() -> None:
    chance = np.random.default_rng(1)
    class_of = np.repeat([0, 1], 2_000)
    widths = np.array([[1.0, 2.0], [10.0, 20.0]])[class_of]
    seen, new = (chance.standard_normal((4_000, 2)) * widths for _ in range(2))
    low, high = error_quantiles(seen, class_of)
    inside = (low[class_of] <= new) & (new <= high[class_of])
    for each in (0, 1):
        assert np.abs(inside[class_of == each].mean(axis=0) - COVERAGE).max() < 0.03
    assert np.all(high[2] > 5 * high[0])  # no row: from all of them
