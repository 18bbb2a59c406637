"""Refused, held or promoted, and why."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.domain.models import Decision
from millstream.model.judgement import Bound, Check, Judgement, Outcome
from millstream.trainer.gate.bounds import bounds
from millstream.trainer.gate.compare import (
    BESIDE_POPULARITY,
    beats_popularity,
    compare,
    measures,
)
from millstream.trainer.gate.exam import MODEL, WHOLE_LIST, Exam, Views, popular_views
from millstream.trainer.gate.rule import GateRule
from millstream.trainer.gate.segments import OVERALL

POPULARITY = "popularity"
_TOLD = 4


def judge(
    exam: Exam,
    ours: Views,
    theirs: Views,
    reference: str,
    rule: GateRule,
    known: tuple[Bound, ...] = (),
) -> Judgement:
    """`theirs`: the lists of `reference`, the version in service; where there is none, popular
    items. `known`: the reach of both models, where both are models. Blocks for about a second."""
    checks = [*compare(exam, ours, theirs, rule)]
    checks.append(beats_popularity(exam, ours, popular_views(exam), rule))
    found = bounds(exam, ours, theirs, rule) + known
    more = [bound for bound in known if bound.ours - bound.reference >= rule.margin]
    decision, reasons = _decide(checks, found, more, reference)
    return Judgement(decision, reference, tuple(reasons), tuple(checks), found)


def _decide(
    checks: Sequence[Check], found: Sequence[Bound], more: Sequence[Bound], reference: str
) -> tuple[Decision, list[str]]:
    worse = [_told(check, reference) for check in checks if check.outcome is Outcome.WORSE]
    worse += [_told_bound(bound, reference) for bound in found if not bound.kept]
    if worse:
        return Decision.REFUSED, _shortened(worse)
    overall = [check for check in checks if check.segment == OVERALL]
    if any(check.outcome is Outcome.TOO_FEW for check in overall):
        few = f"only {overall[0].shoppers} shoppers to measure on that neither version has seen"
        return Decision.HELD, [few]
    unclear = [_told(check, reference) for check in checks if check.outcome is Outcome.UNCLEAR]
    if unclear:
        return Decision.HELD, ["not shown to be no worse", *_shortened(unclear)]
    return _weigh(overall, more, reference)


def _weigh(
    overall: Sequence[Check], more: Sequence[Bound], reference: str
) -> tuple[Decision, list[str]]:
    """Of a version that is no worse: whether anything speaks for a change."""
    better = [_told(check, reference) for check in overall if check.outcome is Outcome.BETTER]
    if better:
        return Decision.PROMOTED, ["better", *_shortened(better)]
    if more:
        known = [_told_bound(bound, reference) for bound in more]
        return Decision.PROMOTED, ["no worse, and it knows more", *known]
    seen = [check for check in overall if check.view == WHOLE_LIST]
    told = [_told(check, reference) for check in seen]
    if all(check.high < check.margin for check in seen):
        return Decision.HELD, [f"equal to {reference}", *told]
    return Decision.PROMOTED, ["no worse, and of newer data", *told]


def still_as_measured(
    judgement: Judgement, exam: Exam, registered: Views, examined: Views, rule: GateRule
) -> Judgement:
    """What is registered has learnt from the exam's visits too. If it does worse on them than the
    model that was examined, its training went astray, and the examined figures are not its own."""
    recall, _ = measures(exam, MODEL, exam.segments[0], (registered, examined), rule)
    if not judgement.promoted or recall.outcome is not Outcome.WORSE:
        return judgement
    why = f"what is registered is not what was examined: {_told(recall, 'that one')}"
    return refusal(why, judgement.reference)


def refusal(why: str, reference: str) -> Judgement:
    return Judgement(Decision.REFUSED, reference, (why,))


def _told(check: Check, reference: str) -> str:
    where = "" if check.segment in {OVERALL, BESIDE_POPULARITY} else f", {check.segment}"
    name = POPULARITY if check.segment == BESIDE_POPULARITY else reference
    return (
        f"{check.metric} of the {check.view}{where}: {check.ours:.4f} against "
        f"{check.reference:.4f} of {name} ({check.low:+.4f} to {check.high:+.4f} on "
        f"{check.shoppers} shoppers, may fall by {check.margin:.4f})"
    )


def _told_bound(bound: Bound, reference: str) -> str:
    return (
        f"{bound.name} of the {bound.view}: {bound.ours:.4f} against {bound.reference:.4f} of "
        f"{reference}, the bound is {bound.limit:.4f}"
    )


def _shortened(reasons: list[str]) -> list[str]:
    more = len(reasons) - _TOLD
    return reasons if more <= 0 else [*reasons[:_TOLD], f"and {more} more"]
