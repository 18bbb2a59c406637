"""What a review model has to answer before it judges anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from tests.review_models import MODELS, WORDS, linear_model

from millstream.domain.reviews import MAX_TEXT_CHARS
from millstream.model.embeddings import FloatArray
from millstream.model.manifest import ArtifactRefused
from millstream.model.sentiment.artifact import ReviewArrays, sentiment_of
from millstream.model.sentiment.golden import check_golden
from millstream.model.sentiment.review import ReviewText
from millstream.model.vocabulary import Vocabulary

Answer = Callable[[Sequence[ReviewText]], FloatArray]


class Model:
    """Answers as it is told to; `asked` keeps what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[ReviewText] = []

    def probabilities(self, reviews: Sequence[ReviewText]) -> FloatArray:
        self.asked += reviews
        return self._answer(reviews)


def always(value: float) -> Answer:
    return lambda reviews: np.full(len(reviews), value, dtype=np.float32)


def check(answer: Answer) -> Model:
    model = Model(answer)
    check_golden(model, Vocabulary(WORDS))
    return model


@pytest.mark.parametrize("arrays", MODELS.values(), ids=MODELS)
def test_both_kinds_answer(arrays: ReviewArrays) -> None:
    check_golden(sentiment_of(arrays), arrays.words)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_probability_may_reach_its_ends(value: float) -> None:
    check(always(value))


@pytest.mark.parametrize("value", [-0.01, 1.01, np.nan, np.inf])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(ArtifactRefused, match="not from 0 to 1"):
        check(always(value))


@pytest.mark.parametrize(
    "answer",
    [
        lambda reviews: np.zeros((len(reviews), 1), np.float32),
        lambda reviews: np.zeros(len(reviews) + 1, np.float32),
        lambda _: np.zeros(1, np.float32),
    ],
    ids=["column", "one more", "always one"],
)
def test_an_answer_of_another_shape_is_refused(answer: Answer) -> None:
    with pytest.raises(ArtifactRefused, match="golden input"):
        check(answer)


def test_a_model_that_judges_by_what_stands_beside_is_refused() -> None:
    with pytest.raises(ArtifactRefused, match="those beside it"):
        check(lambda reviews: np.full(len(reviews), 1.0 / (1 + len(reviews)), np.float32))


def test_it_is_asked_the_empty_the_long_the_marked_up_and_its_own_words() -> None:
    asked = check(always(0.5)).asked
    assert any(not review.text for review in asked)
    assert any(len(review.text) > MAX_TEXT_CHARS for review in asked)
    assert any("<b>" in review.title for review in asked)
    assert any(set(review.text.split()) == set(WORDS) for review in asked)


def test_numbers_that_overflow_on_the_models_own_words_are_refused() -> None:
    model = linear_model()
    huge = replace(
        model,
        likeness=np.full_like(model.likeness, 3e38),
        mixing=np.array([2.0, 1.0, -1.0, 0.0], dtype=np.float32),
        offsets=np.array([3e38, 0.0, 0.0], dtype=np.float32),
    )
    with pytest.raises(ArtifactRefused, match="not from 0 to 1"):
        check_golden(sentiment_of(huge), model.words)
