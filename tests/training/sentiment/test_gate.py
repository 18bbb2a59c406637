"""Refused, held or promoted: what each takes, on reviews whose answers are made up."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from millstream.domain.models import Decision
from millstream.model.embeddings import FloatArray
from millstream.model.judgement import Check, Judgement, Outcome
from millstream.model.sentiment.manifest import ReviewData
from millstream.model.sentiment.review import ReviewText
from millstream.trainer.gate.segments import OVERALL
from millstream.trainer.sentiment.compare import (
    BESIDE_COMMONER,
    InService,
    ReviewGateRule,
    largest_domains,
)
from millstream.trainer.sentiment.data import Reviews
from millstream.trainer.sentiment.gate import COMMONER, judge_reviews

COUNT = 1000
RULE = ReviewGateRule()
DATA = ReviewData(2500, 2500, {"books": 2500, "kitchen": 2500}, 5, COUNT)
SURE = 0.9


def asked(count: int = COUNT) -> Reviews:
    """Good and bad in turn, the first half of them of books."""
    domains = tuple("books" if row < count // 2 else "kitchen" for row in range(count))
    labels = np.arange(count, dtype=np.int64) % 2
    return Reviews((ReviewText("", ""),) * count, labels, domains)


def answers(wrong: range | list[int], count: int = COUNT, sure: float = SURE) -> FloatArray:
    """(n,) `sure` of the right label, or of the other one in the rows that are `wrong`."""
    labels = asked(count).labels.copy()
    labels[list(wrong)] = 1 - labels[list(wrong)]
    return np.where(labels == 1, sure, 1 - sure).astype(np.float32)


def champion(given: FloatArray, learnt: int = DATA.learnt) -> InService:
    return InService("v3", given, learnt)


def judged(ours: FloatArray, theirs: FloatArray | None, learnt: int = DATA.learnt) -> Judgement:
    return judge_reviews(
        asked(len(ours)), ours, None if theirs is None else champion(theirs, learnt), DATA, RULE
    )


def found(judgement: Judgement, segment: str) -> Check:
    (check,) = (one for one in judgement.checks if one.segment == segment)
    return check


def tenth(first: int = 0, last: int = COUNT, turn: int = 0) -> list[int]:
    """Every tenth row from `first` to `last`, good and bad ones; another `turn`, other rows."""
    return [row for row in range(first, last) if row % 20 // 2 == turn]


def test_a_first_version_that_knows_something_is_promoted() -> None:
    judgement = judged(answers(tenth()), None)
    assert (judgement.decision, judgement.reference) == (Decision.PROMOTED, COMMONER)
    assert [check.segment for check in judgement.checks] == [BESIDE_COMMONER]
    beside = judgement.checks[0]
    assert [beside.ours, beside.reference] == pytest.approx([0.9, 0.5])
    assert beside.low > 0.3


def test_a_first_version_that_guesses_is_not() -> None:
    """Half a chance for each review: nothing is wrong with its calibration."""
    constant = np.full(COUNT, 0.5, dtype=np.float32)
    judgement = judged(constant, None)
    assert judgement.decision is Decision.REFUSED
    assert found(judgement, BESIDE_COMMONER).outcome is Outcome.WORSE


def test_one_that_is_hardly_above_the_commoner_label_is_held() -> None:
    judgement = judged(answers(range(490), sure=0.52), None)
    assert judgement.decision is Decision.HELD
    assert found(judgement, BESIDE_COMMONER).outcome is Outcome.UNCLEAR


def test_a_better_one_is_promoted() -> None:
    judgement = judged(answers(tenth()), answers(tenth() + tenth(turn=1)))
    assert judgement.decision is Decision.PROMOTED
    assert judgement.reasons[0] == "better"
    assert found(judgement, OVERALL).outcome is Outcome.BETTER


def test_a_worse_one_is_refused() -> None:
    judgement = judged(answers(tenth() + tenth(turn=1)), answers(tenth()))
    assert judgement.decision is Decision.REFUSED
    assert found(judgement, OVERALL).outcome is Outcome.WORSE
    assert "accuracy 0.8000 against 0.9000 of v3" in judgement.verdict


def test_an_equal_one_is_held_unless_it_learnt_from_more() -> None:
    ours, theirs = answers(tenth()), answers(tenth())
    held = judged(ours, theirs)
    assert (held.decision, held.reasons[0]) == (Decision.HELD, "not better than v3")
    more = judged(ours, theirs, learnt=3000)
    assert more.decision is Decision.PROMOTED
    assert "of 4000 reviews against 3000" in more.verdict
    assert judged(ours, theirs, learnt=3990).decision is Decision.HELD


def test_what_is_perhaps_worse_is_held_also_if_it_learnt_from_more() -> None:
    """Each is wrong where the other is right: the mean says little."""
    ours, theirs = answers(range(110)), answers(range(500, 600))
    judgement = judged(ours, theirs, learnt=1000)
    overall = found(judgement, OVERALL)
    assert overall.outcome is Outcome.UNCLEAR
    assert overall.low < -RULE.margin < overall.ours - overall.reference


def test_one_domain_that_falls_refuses_what_is_as_good_over_all() -> None:
    """Kitchen gains what books lose."""
    judgement = judged(answers(tenth(0, 500)), answers(tenth(500)))
    assert judgement.decision is Decision.REFUSED
    assert found(judgement, "books").outcome is Outcome.WORSE
    assert found(judgement, "kitchen").outcome is Outcome.BETTER
    assert "in books" in judgement.verdict


def test_a_domain_of_few_reviews_is_not_judged() -> None:
    few = RULE.least_domain_reviews - 1
    made = asked()
    domains = ("rare",) * few + ("books",) * (COUNT - few)
    reviews = Reviews(made.texts, made.labels, domains)
    ours, theirs = answers(range(few)), answers(range(few, 2 * few))
    judgement = judge_reviews(reviews, ours, champion(theirs), DATA, replace(RULE, margin=0.2))
    assert found(judgement, "rare").outcome is Outcome.TOO_FEW
    assert judgement.decision is Decision.HELD


@pytest.mark.parametrize("count", [RULE.least_reviews - 1, 2, 1])
@pytest.mark.parametrize("in_service", [True, False])
def test_few_reviews_hold_whatever_was_measured(count: int, in_service: bool) -> None:
    theirs = answers([], count) if in_service else None
    judgement = judged(answers(range(count), count), theirs)
    assert judgement.decision is Decision.HELD
    assert judgement.verdict == f"held: only {count} reviews to measure on"


def test_probabilities_that_do_not_mean_what_they_say_are_refused() -> None:
    """Nine of ten right, and hardly sure of any: 0.55 is a long way from 0.9."""
    judgement = judged(answers(tenth(), sure=0.55), None)
    assert judgement.decision is Decision.REFUSED
    (bound,) = judgement.bounds
    assert not bound.kept
    assert bound.ours == pytest.approx(0.35, abs=1e-4)
    assert "calibration error 0.3500, the bound is 0.0800" in judgement.verdict


def test_calibration_may_not_fall_far_behind_that_in_service() -> None:
    ours, theirs = answers(tenth(), sure=0.95), answers(tenth())
    assert judged(ours, None).decision is Decision.PROMOTED
    judgement = judged(ours, theirs, learnt=1000)
    assert judgement.decision is Decision.REFUSED
    assert judgement.bounds[0].limit == pytest.approx(RULE.calibration_rise, abs=1e-4)


def test_the_same_answers_give_the_same_judgement() -> None:
    ours, theirs = answers(range(110)), answers(range(500, 600))
    assert judged(ours, theirs) == judged(ours, theirs)


def test_of_many_domains_the_largest_are_told() -> None:
    made = asked(100)
    reviews = Reviews(made.texts, made.labels, tuple(f"d{row % 30 % 25:02}" for row in range(100)))
    largest = largest_domains(reviews)
    assert len(largest) == 20
    assert list(largest)[:5] == ["d00", "d01", "d02", "d03", "d04"]
