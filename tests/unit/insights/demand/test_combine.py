from __future__ import annotations

import numpy as np
import pytest

from millstream.insights.demand.combine import CLASSES, STEPS, choose, choose_by_class, classes


def test_classes_go_by_the_weeks_of_the_last_thirteen_with_sales() -> None:
    units = np.zeros((4, 20))
    units[0, :7] = 9  # long ago
    units[1, -6:] = 1
    units[2, -7:] = 1
    units[3, -12:] = 1
    assert classes(units).tolist() == [0, 0, 1, 2]


def test_the_method_that_is_right_gets_all_the_weight() -> None:
    actual = np.array([[3.0, 3.0], [8.0, 8.0]])
    levels = np.array([[0.0, 3.0, 5.0], [0.0, 8.0, 5.0]])
    assert choose(levels, actual).tolist() == [0, 1, 0]


def test_two_methods_that_err_to_either_side_are_mixed() -> None:
    actual = np.full((50, 4), 6.0)
    weights = choose(np.tile([4.0, 8.0], (50, 1)), actual)
    assert weights.tolist() == [0.5, 0.5]


def test_no_mix_is_worse_than_the_best_single_method_by_much() -> None:
    chance = np.random.default_rng(0)
    actual = chance.poisson(chance.gamma(1, 5, (400, 1)), (400, 4)).astype(np.float64)
    levels = (actual.mean(axis=1, keepdims=True) * chance.uniform(0.5, 2, (400, 6))).clip(0)
    weights = choose(levels, actual)
    singles = [np.abs(actual - level[:, None]).sum() for level in levels.T]
    mixed = np.abs(actual - (levels @ weights)[:, None]).sum()
    assert mixed < 0.9 * min(singles)
    assert weights.sum() == pytest.approx(1)
    assert np.allclose(weights * STEPS, np.round(weights * STEPS))


def test_each_class_has_its_own_mix_and_an_empty_one_that_of_all() -> None:
    levels = np.tile([1.0, 9.0], (6, 1))
    class_of = np.array([0, 0, 0, 0, 2, 2])
    actual = np.where(class_of == 0, 1.0, 9.0)[:, None]
    weights = choose_by_class(levels, actual, class_of)
    assert weights.shape == (CLASSES, 2)
    assert weights[[0, 2]].tolist() == [[1, 0], [0, 1]]
    assert weights[1].tolist() == choose(levels, actual).tolist()
