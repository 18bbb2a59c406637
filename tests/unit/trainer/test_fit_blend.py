"""A blend finds what worlds were made with."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.ranking.worlds import batch_of, shopper

from millstream.domain.lists import Source
from millstream.ranking.candidates.source import Candidates
from millstream.trainer.fit_blend import LEAST, Examples, examples, fit_blend, joined


def world(questions: int, right: Source) -> Examples:
    """Two sources name two items each, in turn stronger and weaker; only what `right` names is
    wanted, and of that the stronger three times in four."""
    parts = []
    for number in range(questions):
        batch = batch_of([shopper(name="a")])
        proposed = [
            (
                source,
                Candidates.per_shopper(
                    batch, [[(f"{source}-1", 1.0, None), (f"{source}-2", 0.1, None)]]
                ),
            )
            for source in (Source.COVISITED, Source.POPULAR)
        ]
        wanted = f"{right}-{2 if number % 4 == 0 else 1}"
        parts.append(examples(proposed, batch, [[wanted]]))
    return joined(parts)


@pytest.mark.parametrize("right", [Source.COVISITED, Source.POPULAR])
def test_the_source_that_is_right_gets_the_weight(right: Source) -> None:
    blend = fit_blend(world(LEAST, right))
    assert blend is not None
    kinds, ends = np.zeros(2, dtype=np.int64), np.array([1.0, 0.1])
    worth = {s: blend.sources[s].worth(ends, kinds) for s in blend.sources}
    wrong = Source.POPULAR if right is Source.COVISITED else Source.COVISITED
    assert worth[right].min() > worth[wrong].max() + 1
    # Three to one: the logarithm of it lies between the stronger and the weaker.
    assert worth[right][0] - worth[right][1] == pytest.approx(np.log(3), abs=0.2)


def test_the_same_examples_give_the_same_blend() -> None:
    told = world(LEAST, Source.POPULAR)
    assert fit_blend(told) == fit_blend(told)


def test_of_too_few_questions_nothing_is_learnt() -> None:
    assert fit_blend(world(LEAST - 1, Source.POPULAR)) is None
    assert fit_blend(joined([])) is None


def test_questions_without_an_answer_among_the_candidates_are_left_out() -> None:
    batch = batch_of([shopper(name="a"), shopper(name="b")])
    proposed = [
        (Source.POPULAR, Candidates.per_shopper(batch, [[("x", 1.0, None)], [("x", 1.0, None)]]))
    ]
    told = examples(proposed, batch, [["y"], ["x", "y"]])
    assert told.questions.tolist() == [0]
    assert told.wanted.tolist() == [1.0]
