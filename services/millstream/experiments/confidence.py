"""Means of shoppers, and intervals for them that hold at every look, however often one looks.

The interval is that of the mixture sequential probability ratio test with a normal mixture of
standard deviation `width`: Johari, Koomen, Pekelis, Walsh, "Always Valid Inference: Continuous
Monitoring of A/B Tests", Operations Research 70(3), 2022, section 5. Variances are estimated, so it
holds in the limit (Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory
and asymptotic confidence sequences", Annals of Statistics 52(6), 2024); `millstream verify
experiments` shows how well at the fewest shoppers that `is_enough` lets through."""

from __future__ import annotations

import math
from typing import NamedTuple

from millstream.experiments.outcomes import Outcomes

FEWEST_SHOPPERS = 100
FEWEST_EITHER = 20
"""Who did, and who did not."""
ROUNDING = 1e-9


class Estimate(NamedTuple):
    """`variance`: of the mean."""

    mean: float
    variance: float


class Interval(NamedTuple):
    low: float
    high: float


def of_share(n: int, k: int) -> Estimate | None:
    """Of `n` shoppers `k` did. None while they are too few for an interval."""
    if n < FEWEST_SHOPPERS or min(k, n - k) < FEWEST_EITHER:
        return None
    mean = k / n
    return Estimate(mean, mean * (1 - mean) / n)


def of_ratio(sums: Outcomes) -> Estimate | None:
    """Places clicked of those seen, by the delta method over shoppers: the variance of
    hit - ratio * seen, shopper by shopper. None while they are too few for an interval."""
    n, seen, hit = sums.saw, sums.seen, sums.hit
    if n < FEWEST_SHOPPERS or min(hit, seen - hit) < FEWEST_EITHER:
        return None
    ratio = hit / seen
    residual = sums.hit_hit - 2 * ratio * sums.seen_hit + ratio**2 * sums.seen_seen
    if residual < ROUNDING * sums.hit_hit:
        return None  # all alike: nothing says how much shoppers differ
    return Estimate(ratio, residual * n / (n - 1) / seen**2)


def difference(ours: Estimate, theirs: Estimate) -> Estimate:
    return Estimate(ours.mean - theirs.mean, ours.variance + theirs.variance)


def always_valid(estimate: Estimate, alpha: float, width: float) -> Interval:
    """Over all looks together it misses the truth in a share of `alpha` of experiments at most.
    `width` says where it is narrowest, and must not depend on what was counted."""
    v, prior = estimate.variance, width**2
    log_odds = math.log((v + prior) / v) - 2 * math.log(alpha)
    radius = math.sqrt(v * (v + prior) / prior * log_odds)
    return Interval(estimate.mean - radius, estimate.mean + radius)


def fixed(estimate: Estimate, z: float = 1.959964) -> Interval:
    """The usual one, which holds for a single look at a time set beforehand."""
    radius = z * math.sqrt(estimate.variance)
    return Interval(estimate.mean - radius, estimate.mean + radius)
