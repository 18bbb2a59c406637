from __future__ import annotations

import math
import random
from statistics import fmean, variance

import pytest

from millstream.experiments.confidence import (
    Estimate,
    always_valid,
    difference,
    fixed,
    of_ratio,
    of_share,
)
from millstream.experiments.outcomes import Outcomes


def test_a_share_has_the_variance_of_a_binomial() -> None:
    found = of_share(400, 100)
    assert found is not None
    assert tuple(found) == pytest.approx((0.25, 0.25 * 0.75 / 400))


@pytest.mark.parametrize(("n", "k"), [(99, 50), (1000, 19), (1000, 981), (0, 0)])
def test_too_few_give_no_estimate(n: int, k: int) -> None:
    assert of_share(n, k) is None


def sums_of(shoppers: list[tuple[int, int]]) -> Outcomes:
    return Outcomes(
        shoppers=len(shoppers),
        saw=sum(seen > 0 for seen, _ in shoppers),
        seen=sum(seen for seen, _ in shoppers),
        hit=sum(hit for _, hit in shoppers),
        seen_seen=sum(seen**2 for seen, _ in shoppers),
        hit_hit=sum(hit**2 for _, hit in shoppers),
        seen_hit=sum(seen * hit for seen, hit in shoppers),
    )


def test_a_ratio_varies_as_much_as_its_shoppers_residuals() -> None:
    rng = random.Random(1)
    shoppers = []
    for _ in range(300):
        seen, rate = rng.randrange(1, 40), rng.random()
        shoppers.append((seen, sum(rng.random() < rate for _ in range(seen))))
    found = of_ratio(sums_of(shoppers))
    assert found is not None
    residuals = [hit - found.mean * seen for seen, hit in shoppers]
    mean_seen = fmean(seen for seen, _ in shoppers)
    assert found.variance == pytest.approx(variance(residuals) / 300 / mean_seen**2)


def test_places_of_one_shopper_are_no_units_of_their_own() -> None:
    """Each of 200 clicks all of ten places or none: what 200 shoppers know, not what 2,000 do."""
    found = of_ratio(sums_of([(10, 10), (10, 0)] * 100))
    assert found is not None
    shoppers, places = of_share(200, 100), of_share(2_000, 1_000)
    assert shoppers is not None
    assert places is not None
    assert found.variance == pytest.approx(shoppers.variance, rel=0.01)
    assert found.variance > 9 * places.variance


def test_shoppers_who_all_click_alike_give_no_estimate() -> None:
    assert of_ratio(sums_of([(10, 1)] * 200)) is None


def test_the_interval_ends_where_the_mixture_ratio_reaches_one_in_alpha() -> None:
    estimate, alpha, width = Estimate(0.03, 4e-5), 0.05, 0.01
    v, prior = estimate.variance, width**2
    for end in always_valid(estimate, alpha, width):
        gap = estimate.mean - end
        ratio = math.sqrt(v / (v + prior)) * math.exp(prior * gap**2 / (2 * v * (v + prior)))
        assert ratio == pytest.approx(1 / alpha)


def test_to_hold_at_every_look_it_is_wider_than_the_usual_one() -> None:
    estimate = difference(Estimate(0.06, 1e-5), Estimate(0.05, 1e-5))
    assert tuple(estimate) == pytest.approx((0.01, 2e-5))
    usual = fixed(estimate)
    for width in (0.0005, 0.005, 0.05, 0.5):
        wide = always_valid(estimate, 0.05, width)
        assert wide.low < usual.low
        assert wide.high > usual.high
