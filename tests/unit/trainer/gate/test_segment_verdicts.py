"""A gain for most does not hide a loss within a segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl
import pytest

from millstream.domain.models import Decision
from millstream.model.judgement import Judgement, Outcome
from millstream.trainer.gate.exam import MODEL, WHOLE_LIST, Exam, Views
from millstream.trainer.gate.rule import GateRule
from millstream.trainer.gate.segments import (
    HEAVY,
    LIGHT,
    LONG_TAIL,
    NEW_ITEMS,
    NEW_SHOPPERS,
    OVERALL,
)
from millstream.trainer.gate.verdict import judge
from millstream.trainer.split import Query

COUNT, K = 160, 20
RULE = GateRule(resamples=200)
HEADS = [f"a{n:02}" for n in range(40)]
KINDS = (NEW_SHOPPERS, LIGHT, LIGHT, HEAVY)
"""Of the n-th shopper, by turns."""

Begins = Callable[[int], Sequence[str]]
"""How the n-th shopper's list begins."""


def tail(n: int) -> str:
    return f"t{n // 4:02}"


def wanted(n: int) -> tuple[str, str, str]:
    """One of the head that is none of the twenty best, one of the tail, and a new one."""
    return HEADS[39 - n % 10], tail(n), f"new-{n}"


def _exam() -> Exam:
    shoppers = [f"s{n:03}" for n in range(COUNT)]
    rows = [(s, tail(n)) for n, s in enumerate(shoppers) if KINDS[n % 4] == LIGHT]
    rows += [(s, HEADS[n % 20]) for n, s in enumerate(shoppers) if KINDS[n % 4] == LIGHT]
    rows += [(s, i) for n, s in enumerate(shoppers) if KINDS[n % 4] == HEAVY for i in HEADS]
    before = pl.DataFrame(rows, ["user", "item"], orient="row").with_columns(
        type=pl.lit("purchase"), weight=pl.lit(1.0, pl.Float32), time_ms=pl.int_range(pl.len())
    )
    asked = [Query(s, 10_000 + n, (), frozenset(wanted(n))) for n, s in enumerate(shoppers)]
    return Exam.on(before, asked, K)


EXAM = _exam()


def views(begins: Begins) -> Views:
    """The rest of each list is tail that its shopper does not want, as much of each in all."""
    lists = []
    for n in range(COUNT):
        rest = [tail(4 * (n // 4 + step) % COUNT) for step in range(1, K + 1)]
        lists.append([*begins(n), *rest][:K])
    return {WHOLE_LIST: lists, MODEL: lists}


def verdict(ours: Begins, theirs: Begins) -> Judgement:
    return judge(EXAM, views(ours), views(theirs), "v7", RULE)


def but_for(kind: str) -> tuple[Begins, Begins]:
    """All but these get all three for one, these none for one."""
    return lambda n: () if KINDS[n % 4] == kind else wanted(n), one


def one(n: int) -> Sequence[str]:
    """In the second place."""
    return "what nobody wants", wanted(n)[0]


CASES: dict[str, tuple[Begins, Begins]] = {
    NEW_SHOPPERS: but_for(NEW_SHOPPERS),
    LIGHT: but_for(LIGHT),
    HEAVY: but_for(HEAVY),
    NEW_ITEMS: (lambda n: wanted(n)[1::-1], lambda n: wanted(n)[2:]),
    LONG_TAIL: (lambda n: wanted(n)[:1], lambda n: wanted(n)[1:2] if n % 8 < 4 else ()),
}


@pytest.mark.parametrize("hurt", CASES)
def test_a_gain_for_most_does_not_hide_a_loss_within_a_segment(hurt: str) -> None:
    judgement = verdict(*CASES[hurt])
    assert judgement.decision is Decision.REFUSED
    assert hurt in judgement.verdict
    fell = {check.segment for check in judgement.checks if check.outcome is Outcome.WORSE}
    assert fell == {hurt}
    assert all(bound.kept for bound in judgement.bounds)
    # All shoppers together gain by it.
    recall = next(check for check in judgement.checks if check.segment == OVERALL)
    assert recall.outcome is Outcome.BETTER


def test_a_segment_beyond_its_margin_by_what_may_be_chance_keeps_no_version_back() -> None:
    """Of forty new shoppers fourteen were hit, and now ten others are; everybody else gains."""

    def ours(n: int) -> Sequence[str]:
        return wanted(n) if KINDS[n % 4] != NEW_SHOPPERS else wanted(n)[: n // 4 >= 30]

    def theirs(n: int) -> Sequence[str]:
        return one(n) if KINDS[n % 4] != NEW_SHOPPERS else wanted(n)[: n // 4 < 14]

    judgement = verdict(ours, theirs)
    assert judgement.decision is Decision.PROMOTED
    for check in judgement.checks:
        if check.segment == NEW_SHOPPERS:
            assert check.ours < check.reference - check.margin
            assert check.low < 0 < check.high
