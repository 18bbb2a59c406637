from __future__ import annotations

import pytest

from millstream.domain.experiments import ExperimentTerms, Metric, Variant
from millstream.experiments.outcomes import COHORT_MS, WINDOW_MS, Outcomes, cohort_of, is_settled
from millstream.experiments.report import Decision, ExperimentReport, report
from millstream.experiments.sample_ratio import Split


def told(
    clicked: list[int], came: list[int] | None = None, smallest: float = 0.01
) -> ExperimentReport:
    """Of 10,000 settled shoppers a variant."""
    names = [f"v{i}" for i in range(len(clicked))]
    terms = ExperimentTerms(
        tuple(Variant(name, 1000 // len(names)) for name in names),
        Metric.CLICKED,
        smallest_effect=smallest,
    )
    sums = {
        name: Outcomes(shoppers=10_000, clicked=n) for name, n in zip(names, clicked, strict=True)
    }
    shoppers = dict(zip(names, came or [10_000] * len(names), strict=True))
    return report(terms, shoppers, sums)


@pytest.mark.parametrize(
    ("clicked", "smallest", "decision"),
    [
        ([500, 900], 0.01, Decision.BETTER),
        ([900, 500], 0.01, Decision.WORSE),
        ([500, 520], 0.01, Decision.UNDECIDED),
        ([500, 520], 0.05, Decision.NO_DIFFERENCE),
        ([500, 10], 0.01, Decision.UNDECIDED),
    ],
)
def test_what_is_decided(clicked: list[int], smallest: float, decision: Decision) -> None:
    found = told(clicked, smallest=smallest)
    assert [each.decision for each in found.variants] == [Decision.CONTROL, decision]
    assert found.may_stop == (decision is not Decision.UNDECIDED)


def test_a_wrong_split_voids_every_difference() -> None:
    found = told([500, 900], came=[10_000, 11_000])
    assert found.split.verdict is Split.MISMATCH
    assert found.variants[1].decision is Decision.VOID
    assert found.may_stop


def test_several_variants_are_each_held_to_less() -> None:
    one, three = told([500, 600]), told([500, 600, 500, 500])
    ours, theirs = one.variants[1].difference, three.variants[1].difference
    assert ours.value == theirs.value == 0.01
    assert ours.low is not None
    assert theirs.low is not None
    assert theirs.low < ours.low


def test_nobody_yet() -> None:
    terms = ExperimentTerms((Variant("a", 500), Variant("b", 500)), Metric.BOUGHT)
    found = report(terms, {}, {})
    assert not found.may_stop
    assert [each.clicked.value for each in found.variants] == [None, None]


def test_a_cohort_settles_a_day_after_its_last_shopper() -> None:
    begins = cohort_of(10 * COHORT_MS + 5)
    assert begins == 10 * COHORT_MS
    last = begins + COHORT_MS - 1
    assert not is_settled(begins, last + WINDOW_MS)
    assert is_settled(begins, last + WINDOW_MS + 1)
