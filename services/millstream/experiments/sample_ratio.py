"""Whether each variant got the share of the shoppers that was laid down.

Where it did not, shoppers were lost on the way in one variant more than in another, and no figure
of the experiment means anything (Fabijan et al., "Diagnosing Sample Ratio Mismatch in Online
Controlled Experiments", KDD 2019)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

ALPHA = 0.01
"""Of all experiments that are split rightly so many are called split wrongly, over all looks."""
STRENGTH = 100
"""Shoppers that the mixture weighs as much as; where it decides soonest."""


class Split(StrEnum):
    FITS = "fits"
    MISMATCH = "mismatch"


class SampleRatio(Struct, frozen=True):
    """`p_value`: of the chi-square test, which holds for one look. `always_valid_p`: holds for all
    looks, and gives the verdict."""

    verdict: Split
    p_value: float
    always_valid_p: float


def sample_ratio(shares: Sequence[int], shoppers: Sequence[int]) -> SampleRatio:
    """Per variant: the share laid down, in any unit, and who came."""
    parts = [share / sum(shares) for share in shares]
    surprise = min(1.0, math.exp(min(0.0, -log_bayes_factor(parts, shoppers))))
    verdict = Split.MISMATCH if surprise < ALPHA else Split.FITS
    return SampleRatio(verdict, chi_square_p(parts, shoppers), surprise)


def log_bayes_factor(parts: Sequence[float], counts: Sequence[int]) -> float:
    """Of a Dirichlet mixture around `parts` against `parts` themselves: a martingale where they
    hold, so it ever exceeds 1 / alpha with probability alpha at most. Lindon, Malek, "Anytime-Valid
    Inference for Multinomial Count Data", NeurIPS 2022."""
    n = sum(counts)
    found = math.lgamma(STRENGTH) - math.lgamma(STRENGTH + n)
    for part, count in zip(parts, counts, strict=True):
        prior = STRENGTH * part
        found += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(part)
    return found


def chi_square_p(parts: Sequence[float], counts: Sequence[int]) -> float:
    """Pearson's goodness of fit; 1 where nobody came."""
    n = sum(counts)
    if not n:
        return 1.0
    statistic = sum(
        (count - n * part) ** 2 / (n * part) for part, count in zip(parts, counts, strict=True)
    )
    return _beyond(statistic, len(counts) - 1)


def _beyond(statistic: float, freedom: int) -> float:
    """The upper tail of chi-square: Q(1/2, x) or Q(1, x), then Q(a + 1, x) = Q(a, x) + x^a e^-x /
    Gamma(a + 1) (Abramowitz, Stegun 6.5.21)."""
    x = statistic / 2
    a, tail = (0.5, math.erfc(math.sqrt(x))) if freedom % 2 else (1.0, math.exp(-x))
    while a < freedom / 2:
        if x > 0:
            tail += math.exp(a * math.log(x) - x - math.lgamma(a + 1))
        a += 1
    return min(1.0, tail)
