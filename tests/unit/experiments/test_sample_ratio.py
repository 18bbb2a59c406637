from __future__ import annotations

import math

import pytest
from scipy.stats import chisquare

from millstream.experiments.sample_ratio import (
    Split,
    chi_square_p,
    log_bayes_factor,
    sample_ratio,
)


@pytest.mark.parametrize(
    "counts",
    [[480, 520], [10, 0], [100, 130, 90], [250, 250, 250, 260], [1000, 900, 950, 970, 1100]],
)
def test_chi_square_is_that_of_scipy(counts: list[int]) -> None:
    expected = chisquare(counts).pvalue
    assert chi_square_p([1 / len(counts)] * len(counts), counts) == pytest.approx(expected)


def test_of_one_more_shopper_the_bayes_factor_expects_what_it_is() -> None:
    """The martingale that makes it hold at every look."""
    parts, counts = [0.7, 0.2, 0.1], [30, 12, 1]
    after = 0.0
    for which, part in enumerate(parts):
        more = [n + (i == which) for i, n in enumerate(counts)]
        after += part * math.exp(log_bayes_factor(parts, more))
    assert after == pytest.approx(math.exp(log_bayes_factor(parts, counts)))


@pytest.mark.parametrize(
    ("shoppers", "verdict"),
    [
        ([0, 0], Split.FITS),
        ([5_000, 5_080], Split.FITS),
        ([5_000, 5_500], Split.MISMATCH),
        ([0, 40], Split.MISMATCH),
        ([10**7, 10**7 + 30_000], Split.MISMATCH),
    ],
)
def test_the_verdict(shoppers: list[int], verdict: Split) -> None:
    assert sample_ratio([500, 500], shoppers).verdict is verdict


def test_shares_need_not_be_all_of_the_shoppers() -> None:
    assert sample_ratio([90, 10], [9_000, 1_000]).verdict is Split.FITS
