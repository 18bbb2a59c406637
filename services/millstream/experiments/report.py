"""START HERE: what an experiment shows, and whether it may be stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from millstream.domain.experiments import ExperimentTerms, Metric, Variant
from millstream.experiments.confidence import (
    Estimate,
    Interval,
    always_valid,
    difference,
    of_ratio,
    of_share,
)
from millstream.experiments.outcomes import Outcomes
from millstream.experiments.sample_ratio import SampleRatio, Split, sample_ratio

ALPHA = 0.05
"""Of all experiments without a difference so many are said to have one, over all looks."""


class Decision(StrEnum):
    CONTROL = "control"
    """What the others are compared with."""
    UNDECIDED = "undecided"
    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no_difference"
    """None as large as the smallest that would matter."""
    VOID = "void"
    """The split is not what was laid down: nothing can be concluded."""


class Figure(Struct, frozen=True):
    """`low`, `high`: hold at every look. All null while there are too few shoppers."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class VariantReport(Struct, frozen=True):
    """`shoppers`: all who got a list. The rest is of those whose day is over: `settled` of them,
    `clickers` and `buyers` among them; `places_seen` of their lists, `places_clicked` of those.
    `difference`: of the experiment's metric, from the first variant's."""

    name: str
    share: int
    shoppers: int
    settled: int
    clickers: int
    buyers: int
    places_seen: int
    places_clicked: int
    clicked: Figure
    bought: Figure
    click_through: Figure
    difference: Figure
    decision: Decision


class ExperimentReport(Struct, frozen=True):
    """`may_stop`: every variant is decided, or the split is wrong."""

    split: SampleRatio
    variants: tuple[VariantReport, ...]
    may_stop: bool


def report(
    terms: ExperimentTerms, shoppers: Mapping[str, int], settled: Mapping[str, Outcomes]
) -> ExperimentReport:
    """By the variants' names: who got a list, and the sums of those whose day is over."""
    variants = terms.variants
    came = [shoppers.get(variant.name, 0) for variant in variants]
    split = sample_ratio([variant.share for variant in variants], came)
    sums = [settled.get(variant.name, Outcomes()) for variant in variants]
    figures = [_of_variant(terms, *each) for each in zip(variants, came, sums, strict=True)]
    differences = compare(terms, sums)
    decided = [Decision.CONTROL, *(decide(each, terms.smallest_effect) for each in differences)]
    if split.verdict is Split.MISMATCH:
        decided[1:] = [Decision.VOID] * len(differences)
    told = tuple(
        _with(figure, gap, decision)
        for figure, gap, decision in zip(figures, [None, *differences], decided, strict=True)
    )
    return ExperimentReport(split, told, Decision.UNDECIDED not in decided)


def compare(
    terms: ExperimentTerms, sums: Sequence[Outcomes]
) -> list[tuple[Estimate, Interval] | None]:
    """Of each variant but the first the metric's difference from the first. All of them together
    err in a share of ALPHA at most (Bonferroni)."""
    control, *others = (estimate(terms.metric, each) for each in sums)
    found: list[tuple[Estimate, Interval] | None] = []
    for other in others:
        if control is None or other is None:
            found.append(None)
            continue
        gap = difference(other, control)
        found.append((gap, always_valid(gap, ALPHA / len(others), terms.smallest_effect)))
    return found


def decide(gap: tuple[Estimate, Interval] | None, smallest_effect: float) -> Decision:
    if gap is None:
        return Decision.UNDECIDED
    low, high = gap[1]
    if low > 0:
        return Decision.BETTER
    if high < 0:
        return Decision.WORSE
    if -smallest_effect < low and high < smallest_effect:
        return Decision.NO_DIFFERENCE
    return Decision.UNDECIDED


def estimate(metric: Metric, sums: Outcomes) -> Estimate | None:
    if metric is Metric.CLICK_THROUGH:
        return of_ratio(sums)
    return of_share(sums.shoppers, sums.clicked if metric is Metric.CLICKED else sums.bought)


def _of_variant(
    terms: ExperimentTerms, variant: Variant, shoppers: int, sums: Outcomes
) -> VariantReport:
    clicked, bought, click_through = (
        _figure(None if found is None else (found, always_valid(found, ALPHA, width)))
        for found, width in ((estimate(m, sums), terms.smallest_effect) for m in Metric)
    )
    return VariantReport(
        variant.name,
        variant.share,
        shoppers,
        sums.shoppers,
        sums.clicked,
        sums.bought,
        sums.seen,
        sums.hit,
        clicked,
        bought,
        click_through,
        Figure(),
        Decision.CONTROL,
    )


def _with(
    told: VariantReport, gap: tuple[Estimate, Interval] | None, decision: Decision
) -> VariantReport:
    return replace(told, difference=_figure(gap, below=-1.0), decision=decision)


def _figure(found: tuple[Estimate, Interval] | None, below: float = 0.0) -> Figure:
    if found is None:
        return Figure()
    (mean, _), (low, high) = found
    return Figure(round(mean, 6), round(max(below, low), 6), round(min(1.0, high), 6))
