"""Intervals of means over visits: shoppers are drawn, each with all of theirs."""

from __future__ import annotations

import numpy as np
import pytest

from millstream.trainer.gate.bootstrap import mean_bounds, resampled_sums

RESAMPLES, SEED = 1_000, 3


def hits(count: int, seed: int = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(count, 2): of a fifth, and of a half of the visits."""
    return (np.random.default_rng(seed).random((count, 2)) < [0.2, 0.5]).astype(np.float64)


def owners(count: int, visits: int = 1) -> list[str]:
    return [f"shopper-{number // visits}" for number in range(count)]


def test_bounds_are_those_of_a_share() -> None:
    values = hits(2_000)
    low, high = mean_bounds(values, owners(2_000), RESAMPLES, SEED)
    shares = values.mean(axis=0)
    reach = 1.96 * np.sqrt(shares * (1 - shares) / 2_000)
    np.testing.assert_allclose(low, shares - reach, atol=0.003)
    np.testing.assert_allclose(high, shares + reach, atol=0.003)


def test_the_same_visit_told_again_makes_nothing_surer() -> None:
    once = mean_bounds(hits(300), owners(300), RESAMPLES, SEED)
    again = mean_bounds(np.repeat(hits(300), 5, axis=0), owners(1_500, 5), RESAMPLES, SEED)
    np.testing.assert_allclose(np.array(again), np.array(once))
    apart = mean_bounds(np.repeat(hits(300), 5, axis=0), owners(1_500), RESAMPLES, SEED)
    assert (np.ptp(apart, axis=0) < 0.6 * np.ptp(once, axis=0)).all()


def test_sums_are_of_as_many_rows_as_there_are_however_they_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = np.column_stack([np.ones(50), np.arange(50.0)])
    whole = resampled_sums(table, 40, SEED)
    assert set(whole[:, 0]) == {50.0}
    assert len(set(whole[:, 1])) > 20
    monkeypatch.setattr("millstream.trainer.gate.bootstrap._BLOCK", 120)
    np.testing.assert_array_equal(resampled_sums(table, 40, SEED), whole)
