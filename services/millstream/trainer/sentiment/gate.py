"""Whether a review model may serve: refused, held or promoted, and why."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.domain.models import Decision
from millstream.model.embeddings import FloatArray
from millstream.model.judgement import Bound, Check, Judgement, Outcome
from millstream.model.sentiment.manifest import ReviewData
from millstream.trainer.gate.segments import OVERALL
from millstream.trainer.sentiment.compare import (
    BESIDE_COMMONER,
    InService,
    ReviewGateRule,
    beside_commoner,
    calibration,
    compared,
)
from millstream.trainer.sentiment.data import Reviews

COMMONER = "the commoner label"
_WHOLE = frozenset({OVERALL, BESIDE_COMMONER})


def judge_reviews(
    asked: Reviews,
    ours: FloatArray,
    theirs: InService | None,
    data: ReviewData,
    rule: ReviewGateRule,
) -> Judgement:
    """`asked`: the reviews that were held out, at least one; `ours`: (n,) the new version's
    probabilities. Pure; takes about a second."""
    checks = [] if theirs is None else compared(asked, ours, theirs.given, rule)
    checks.append(beside_commoner(asked, ours, data.good >= data.bad, rule))
    bound = calibration(asked, ours, theirs, rule)
    reference = COMMONER if theirs is None else theirs.name
    decision, reasons = _shortcomings(checks, bound, reference)
    if decision is None:
        decision, reasons = _weigh(checks, theirs, data, rule)
    return Judgement(decision, reference, tuple(reasons), tuple(checks), (bound,))


def _shortcomings(
    checks: Sequence[Check], bound: Bound, reference: str
) -> tuple[Decision | None, list[str]]:
    """None: it is no worse, and has to be weighed. Of few reviews neither accuracy nor calibration
    says anything."""
    if any(one.outcome is Outcome.TOO_FEW for one in checks if one.segment in _WHOLE):
        few = f"only {checks[-1].shoppers} reviews to measure on"
        return Decision.HELD, [few]
    worse = [_told(one, reference) for one in checks if one.outcome is Outcome.WORSE]
    if not bound.kept:
        worse.append(f"calibration error {bound.ours:.4f}, the bound is {bound.limit:.4f}")
    if worse:
        return Decision.REFUSED, worse
    unclear = [_told(one, reference) for one in checks if one.outcome is Outcome.UNCLEAR]
    if unclear:
        return Decision.HELD, ["not shown to be no worse", *unclear]
    return None, []


def _weigh(
    checks: Sequence[Check],
    theirs: InService | None,
    data: ReviewData,
    rule: ReviewGateRule,
) -> tuple[Decision, list[str]]:
    """Of a version that is no worse: whether anything speaks for a change."""
    if theirs is None:
        return Decision.PROMOTED, ["the first one", _told(checks[-1], COMMONER)]
    overall = _told(checks[0], theirs.name)
    if checks[0].outcome is Outcome.BETTER:
        return Decision.PROMOTED, ["better", overall]
    if data.learnt >= (1 + rule.more_reviews) * theirs.learnt:
        more = f"no worse, and of {data.learnt} reviews against {theirs.learnt}"
        return Decision.PROMOTED, [more, overall]
    return Decision.HELD, [f"not better than {theirs.name}", overall]


def _told(check: Check, reference: str) -> str:
    where = "" if check.segment in _WHOLE else f" in {check.segment}"
    name = COMMONER if check.segment == BESIDE_COMMONER else reference
    return (
        f"{check.metric}{where} {check.ours:.4f} against {check.reference:.4f} of {name} "
        f"({check.low:+.4f} to {check.high:+.4f} on {check.shoppers} reviews, may fall by "
        f"{check.margin:.4f})"
    )
