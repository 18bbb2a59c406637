"""Two review models on the same reviews: how often each is right, the interval of the difference
and what it says beside the margin; and how far probabilities are from what they say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct
from msgspec.structs import replace

from millstream.model.embeddings import FloatArray
from millstream.model.judgement import BESIDE, Bound, Check, Outcome
from millstream.trainer.gate.bootstrap import Paired, paired
from millstream.trainer.gate.rule import Share
from millstream.trainer.gate.segments import OVERALL
from millstream.trainer.sentiment.calibration import calibration_error
from millstream.trainer.sentiment.data import Reviews

BESIDE_COMMONER = f"{BESIDE} the commoner label"
VIEW = "reviews"
ACCURACY, CALIBRATION = "accuracy", "calibration error"
NEUTRAL = 0.5
_LARGEST = 20


class ReviewGateRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of reviews and probabilities, not of the reference's value: accuracy is near one."""

    margin: Share = 0.02
    """So far may accuracy fall over all. Two models of equal worth that differ on 4 % of 1,600
    reviews have an interval of one point to each side."""
    domain_margin: Share = 0.04
    """The same within a domain, which has a fraction of the reviews."""
    calibration: Share = 0.08
    """The greatest calibration error: over 1,564 reviews the linear model has .027 and the LSTM
    .074, over five times as many .011 and .064, since chance alone makes some of it."""
    calibration_rise: Share = 0.02
    """So far may it be above that of the version in service."""
    least_reviews: Annotated[int, Meta(ge=2)] = 200
    least_domain_reviews: Annotated[int, Meta(ge=2)] = 50
    """With fewer nothing is judged."""
    more_reviews: Share = 0.05
    """A version that is no worse serves if it learnt from so many more, per review that the one in
    service learnt from."""
    resamples: Annotated[int, Meta(ge=100)] = 2000
    seed: Annotated[int, Meta(ge=0)] = 1


@dataclass(frozen=True, slots=True)
class InService:
    """The version in service: its name, its probabilities for the exam's reviews, and the number
    of reviews that it learnt from."""

    name: str
    given: FloatArray
    learnt: int


def largest_domains(reviews: Reviews) -> dict[str, int]:
    """Reviews of each, the most first; of domains beyond the 20th nothing is told."""
    counts = Counter(reviews.domains)
    names = sorted(counts, key=lambda name: (-counts[name], name))[:_LARGEST]
    return {name: counts[name] for name in names}


def _right(asked: Reviews, given: FloatArray) -> FloatArray:
    return np.asarray((given > NEUTRAL) == asked.labels, dtype=np.float32)


def compared(
    asked: Reviews, ours: FloatArray, theirs: FloatArray, rule: ReviewGateRule
) -> list[Check]:
    """Over all, then by domain. `ours`, `theirs`: (n,) probabilities."""
    mine, other, domains = _right(asked, ours), _right(asked, theirs), np.array(asked.domains)
    return [
        _check(OVERALL, mine, other, rule),
        *(
            _check(name, mine[domains == name], other[domains == name], rule)
            for name in largest_domains(asked)
        ),
    ]


def _check(segment: str, right: FloatArray, other: FloatArray, rule: ReviewGateRule) -> Check:
    overall = segment == OVERALL
    least = rule.least_reviews if overall else rule.least_domain_reviews
    margin = rule.margin if overall else rule.domain_margin
    if len(right) < least:
        found, outcome = Paired(_mean(right), _mean(other), 0.0, 0.0), Outcome.TOO_FEW
    else:
        found = paired(_by_review(right), _by_review(other), rule.resamples, rule.seed)
        outcome = _outcome(overall, found, margin)
    return Check(VIEW, ACCURACY, segment, len(right), *found, margin, outcome)


def _outcome(overall: bool, found: Paired, margin: float) -> Outcome:
    """Over all a version has to show that it is no worse; in a domain, which are several and
    small, it must be shown to be worse, else chance would refuse most equals."""
    difference = found.ours - found.theirs
    if difference < -margin and (overall or found.high < 0):
        return Outcome.WORSE
    if overall and found.low < -margin:
        return Outcome.UNCLEAR
    return Outcome.BETTER if found.low > 0 else Outcome.PASSED


def beside_commoner(
    asked: Reviews, ours: FloatArray, mostly_good: bool, rule: ReviewGateRule
) -> Check:
    """A model earns its place only where it is right more often than whoever always says what most
    reviews are."""
    always = np.full(len(asked), float(mostly_good), dtype=np.float32)
    found = _check(OVERALL, _right(asked, ours), _right(asked, always), rule)
    outcome = found.outcome
    if outcome is not Outcome.TOO_FEW:
        outcome = Outcome.UNCLEAR if found.ours > found.reference else Outcome.WORSE
        if found.low > 0:
            outcome = Outcome.PASSED
    return replace(found, segment=BESIDE_COMMONER, margin=0.0, outcome=outcome)


def calibration(
    asked: Reviews, ours: FloatArray, theirs: InService | None, rule: ReviewGateRule
) -> Bound:
    """Where none is in service, the reference is what may be at most."""
    value, limit = calibration_error(ours, asked.labels), rule.calibration
    reference = rule.calibration
    if theirs is not None:
        reference = calibration_error(theirs.given, asked.labels)
        limit = min(limit, reference + rule.calibration_rise)
    return Bound(VIEW, CALIBRATION, value, reference, limit, value <= limit)


def _mean(right: FloatArray) -> float:
    return float(right.mean()) if len(right) else 0.0


def _by_review(right: FloatArray) -> dict[str, float]:
    return {str(row): value for row, value in enumerate(right.tolist())}
