"""What is worse never serves, what is equal changes nothing, what is better comes in."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.trainer.gate.worlds import COUNT, EXAM, some_hits, views

from millstream.domain.models import Decision
from millstream.model.judgement import Bound, Judgement, Outcome
from millstream.trainer.gate.exam import MODEL, WHOLE_LIST, Exam, Views, popular_views
from millstream.trainer.gate.rule import GateRule
from millstream.trainer.gate.verdict import judge, still_as_measured
from millstream.trainer.quality.metrics import recall
from millstream.trainer.quality.ranks import list_ranks

RULE = GateRule(resamples=200)

seeds = st.integers(0, 10_000)
few = settings(deadline=None, max_examples=25)


def verdict(ours: Views, theirs: Views, exam: Exam = EXAM) -> Judgement:
    return judge(exam, ours, theirs, "v7", RULE)


@given(seeds)
@few
def test_the_same_lists_are_never_promoted(seed: int) -> None:
    lists = views(some_hits(seed))
    assert not verdict(lists, lists).promoted


@given(seeds, st.floats(0.01, 1.0))
@few
def test_fewer_hits_are_never_promoted_and_beyond_the_margin_refused(
    seed: int, lost: float
) -> None:
    """Whoever the shoppers are that lose: a share of all hits goes, nobody gains any."""
    found = some_hits(seed)
    places = [place for place, count in enumerate(found) for _ in range(count)]
    gone = random.Random(seed).sample(places, k=max(1, round(lost * len(places))))
    worse = [count - gone.count(place) for place, count in enumerate(found)]
    judgement = verdict(views(worse), views(found))
    if mean_recall(views(worse)) < mean_recall(views(found)) * (1 - RULE.margin) - 1e-9:
        assert judgement.decision is Decision.REFUSED
    assert not judgement.promoted


@given(seeds, seeds)
@few
def test_what_is_promoted_is_no_worse_in_any_mean_over_all_shoppers(one: int, two: int) -> None:
    judgement = verdict(views(some_hits(one)), views(some_hits(two)))
    assert judgement.reasons
    for check in judgement.checks:
        if check.outcome is not Outcome.TOO_FEW:
            assert check.low - 1e-9 <= check.ours - check.reference <= check.high + 1e-9
        if judgement.promoted and (check.view, check.segment) == (WHOLE_LIST, "overall"):
            assert check.ours >= check.reference - check.margin


@given(seeds, st.integers(1, 3))
@few
def test_of_two_versions_at_most_one_is_better(seed: int, turned: int) -> None:
    found = some_hits(seed)
    other = views([(count + turned) % 4 for count in found])
    both = verdict(views(found), other), verdict(other, views(found))
    assert not all(j.promoted and j.reasons[0] == "better" for j in both)


def mean_recall(lists: Views) -> float:
    found = [
        recall(list_ranks(line, query.wanted), EXAM.k)
        for line, query in zip(lists[WHOLE_LIST], EXAM.queries, strict=True)
    ]
    return sum(found) / len(found)


def test_more_hits_are_promoted() -> None:
    judgement = verdict(views([3] * COUNT), views([2] * COUNT))
    assert judgement.decision is Decision.PROMOTED
    assert judgement.verdict.startswith("promoted: better; recall@20 of the whole list: 1.0000")


def test_an_equal_that_knows_more_shoppers_comes_in_and_one_that_knows_few_does_not() -> None:
    lists = views([2] * COUNT)
    decided = []
    for ours, kept in ((0.62, True), (0.52, True), (0.3, False)):
        known = Bound(MODEL, "known shoppers", ours, 0.5, 0.4, kept)
        decided.append(judge(EXAM, lists, lists, "v7", RULE, (known,)).decision)
    assert decided == [Decision.PROMOTED, Decision.HELD, Decision.REFUSED]


def test_a_gain_for_most_does_not_hide_a_loss_for_new_shoppers() -> None:
    rule = msgspec.structs.replace(RULE, least_shoppers=12)
    ours = views([0 if place % 10 == 0 else 3 for place in range(COUNT)])
    judgement = judge(EXAM, ours, views([1] * COUNT), "v7", rule)
    assert judgement.decision is Decision.REFUSED
    assert "new shoppers" in judgement.verdict


def test_popular_items_for_all_are_refused_beside_any_version() -> None:
    popular = popular_views(EXAM)
    for theirs in (popular, views([1] * COUNT)):
        assert verdict(popular, theirs).decision is Decision.REFUSED


def test_the_same_few_items_for_everybody_are_refused_though_they_hit_as_often() -> None:
    """Every tenth shopper is hit once, in both; the rest of a list is two items that everybody
    gets, or two that few others get."""
    hits = [int(place % 10 == 1) for place in range(COUNT)]
    theirs = views(hits)
    found = [line[:count] for line, count in zip(theirs[WHOLE_LIST], hits, strict=True)]
    narrow = [[*hit, "i050", "i051"] for hit in found]
    wide = [[*hit, f"i{(n + 50) % 100:03}", f"i{(n + 51) % 100:03}"] for n, hit in enumerate(found)]
    judgement = verdict({**theirs, WHOLE_LIST: narrow}, {**theirs, WHOLE_LIST: wide})
    assert judgement.decision is Decision.REFUSED
    assert "coverage of the whole list" in judgement.verdict


def test_too_few_shoppers_change_nothing() -> None:
    some = [type(s)(s.name, s.wanted[:20]) for s in EXAM.segments]
    exam = Exam(EXAM.queries[:20], some, EXAM.groups, EXAM.known_items, EXAM.popular, EXAM.k)
    better, worse = (
        {view: lists[:20] for view, lists in views([count] * COUNT).items()} for count in (3, 1)
    )
    judgement = verdict(better, worse, exam)
    assert judgement.decision is Decision.HELD
    assert "only 20 shoppers" in judgement.verdict


def test_what_is_registered_must_not_be_worse_than_what_was_examined() -> None:
    good, bad = views([3] * COUNT), views([0] * COUNT)
    judgement = verdict(good, views([1] * COUNT))
    assert still_as_measured(judgement, EXAM, {MODEL: good[MODEL]}, good, RULE) is judgement
    again = still_as_measured(judgement, EXAM, {MODEL: bad[MODEL]}, good, RULE)
    assert again.decision is Decision.REFUSED
    assert "not what was examined" in again.verdict


@pytest.mark.parametrize("least", [30, 200])
def test_a_segment_with_few_shoppers_is_not_judged(least: int) -> None:
    rule = msgspec.structs.replace(RULE, least_shoppers=least)
    checks = judge(EXAM, views([1] * COUNT), views([2] * COUNT), "v7", rule).checks
    for check in checks:
        assert (check.outcome is Outcome.TOO_FEW) is (check.shoppers < least)
