"""Two versions on the same shoppers: each measure's means, the interval of their difference, and
what it says beside the margin."""

from __future__ import annotations

import msgspec

from millstream.model.judgement import BESIDE, Check, Outcome
from millstream.trainer.gate.bootstrap import Paired, paired
from millstream.trainer.gate.exam import MODEL, WHOLE_LIST, Exam, Views, measured
from millstream.trainer.gate.rule import GateRule
from millstream.trainer.gate.segments import OVERALL, Segment

BESIDE_POPULARITY = f"{BESIDE} popularity"
_METRICS = ("recall", "mrr")


def compare(exam: Exam, ours: Views, theirs: Views, rule: GateRule) -> tuple[Check, ...]:
    """Recall and MRR: of whole lists in every segment, of the model alone over all shoppers (in a
    segment its few hits say more about the seed than about the version)."""
    overall, *parts = exam.segments
    asked = [(WHOLE_LIST, overall), (MODEL, overall), *((WHOLE_LIST, part) for part in parts)]
    return tuple(
        check
        for view, segment in asked
        for check in measures(exam, view, segment, (ours, theirs), rule)
    )


def beats_popularity(exam: Exam, ours: Views, popular: Views, rule: GateRule) -> Check:
    """The model by itself, which earns its place only where it knows more than what sells."""
    recall, _ = measures(exam, MODEL, exam.segments[0], (ours, popular), rule)
    return msgspec.structs.replace(
        recall, segment=BESIDE_POPULARITY, margin=0.0, outcome=_superiority(recall)
    )


def _superiority(check: Check) -> Outcome:
    if check.outcome is Outcome.TOO_FEW:
        return Outcome.TOO_FEW
    if check.low > 0:
        return Outcome.PASSED
    return Outcome.UNCLEAR if check.ours > check.reference else Outcome.WORSE


def measures(
    exam: Exam, view: str, segment: Segment, versions: tuple[Views, Views], rule: GateRule
) -> list[Check]:
    """Recall, then MRR."""
    mine, other = (measured(exam, views[view], segment) for views in versions)
    checks = []
    for metric in _METRICS:
        first, second = (quality.per_user(getattr(quality, metric)) for quality in (mine, other))
        if len(first) < rule.least_shoppers:
            found = Paired(_mean(first), _mean(second), 0.0, 0.0)
            outcome, margin = Outcome.TOO_FEW, 0.0
        else:
            found = paired(first, second, rule.resamples, rule.seed)
            margin = _margin(view, metric, segment.name, found.theirs, rule)
            outcome = _outcome(view, segment.name, found, margin)
        name = f"{metric}@{exam.k}"
        checks.append(Check(view, name, segment.name, len(first), *found, margin, outcome))
    return checks


def _mean(values: dict[str, float]) -> float:
    return sum(values.values()) / len(values) if values else 0.0


def _margin(view: str, metric: str, segment: str, reference: float, rule: GateRule) -> float:
    share = rule.margin if segment == OVERALL else rule.segment_margin
    if (view, metric) == (MODEL, "mrr"):
        share = rule.model_mrr_margin
    return max(rule.least_margin, share * reference)


def _outcome(view: str, segment: str, found: Paired, margin: float) -> Outcome:
    """Of what every shopper sees, a version has to show that it is no worse. By the model alone
    and by segments, which are many and noisy, it must be shown to be worse (the mean beyond the
    margin and the whole interval below zero): else chance would refuse most equals. So they speak
    for it by the same token only."""
    difference = found.ours - found.theirs
    seen_by_all = (view, segment) == (WHOLE_LIST, OVERALL)
    if difference < -margin and (seen_by_all or found.high < 0):
        return Outcome.WORSE
    if seen_by_all and found.low < -margin:
        return Outcome.UNCLEAR
    better = found.low > 0 and (seen_by_all or difference > margin)
    return Outcome.BETTER if better else Outcome.PASSED
