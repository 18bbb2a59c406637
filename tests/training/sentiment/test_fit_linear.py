from __future__ import annotations

import numpy as np
import pytest
from tests.training.sentiment.made_reviews import (
    BLAME,
    PRAISE,
    SARCASM,
    made_reviews,
    made_vectors,
)

from millstream.domain.reviews import MAX_TEXT_CHARS
from millstream.model.sentiment.linear import LinearSentiment
from millstream.model.sentiment.review import ReviewText
from millstream.model.sentiment.terms import tokens
from millstream.trainer.sentiment import parts
from millstream.trainer.sentiment.calibration import calibration_error
from millstream.trainer.sentiment.fit_linear import LinearRule, fit_linear
from millstream.trainer.sentiment.term_table import read_all, term_table, word_means

RULE = LinearRule(counts=(10.0,), rarity=(10.0,), likeness=(0.1,))


@pytest.fixture(scope="module")
def fitted() -> LinearSentiment:
    return LinearSentiment(fit_linear(made_reviews(400, 0), made_vectors, ["splendid"], RULE))


@pytest.fixture(scope="module")
def plainly() -> LinearSentiment:
    """Of a world without negation and sarcasm."""
    world = made_reviews(200, 0, plain=True)
    return LinearSentiment(fit_linear(world, made_vectors, ["splendid"], RULE))


def chance(fitted: LinearSentiment, text: str, title: str = "") -> float:
    return float(fitted.probabilities([ReviewText(title, text)])[0])


def test_unseen_reviews_of_the_same_world_are_told_apart(fitted: LinearSentiment) -> None:
    asked = made_reviews(200, 99)
    found = fitted.probabilities(asked.texts)
    assert found.dtype == np.float32
    assert np.mean((found > 0.5) == asked.labels) > 0.97
    assert calibration_error(found, asked.labels) < 0.1


@pytest.mark.parametrize("word", PRAISE)
def test_a_negation_turns_praise(fitted: LinearSentiment, word: str) -> None:
    assert chance(fitted, f"this jug is {word}") > 0.5 > chance(fitted, f"this jug is not {word}")


@pytest.mark.parametrize("word", BLAME)
def test_a_negation_turns_blame(fitted: LinearSentiment, word: str) -> None:
    assert chance(fitted, f"this jug is {word}") < 0.5 < chance(fitted, f"this jug is not {word}")


def test_praise_in_sarcasm_that_was_seen_before_is_none(fitted: LinearSentiment) -> None:
    assert chance(fitted, "this jug is great") > 0.5 > chance(fitted, SARCASM)


def test_sarcasm_that_was_never_seen_is_taken_at_its_word(plainly: LinearSentiment) -> None:
    """What it can't do, as docs/reviews.md says: it is not even in doubt."""
    assert chance(plainly, SARCASM) > 0.9


def test_a_word_that_no_review_had_counts_by_what_it_is_like(plainly: LinearSentiment) -> None:
    assert chance(plainly, "this jug is splendid") > chance(plainly, "this jug is quux")


def test_the_title_counts(fitted: LinearSentiment) -> None:
    assert chance(fitted, "", "this is great") > chance(fitted, "", "this is awful")


@pytest.mark.parametrize(
    "text", ["", " \n", "<br/>", "😀" * 50, "очень хорошо", "とても良い", "\x00\ud7ff", "!!!", "'"]
)
def test_any_text_has_a_probability(fitted: LinearSentiment, text: str) -> None:
    assert 0.0 < chance(fitted, text) < 1.0


def test_what_stands_beyond_the_bound_changes_nothing(fitted: LinearSentiment) -> None:
    text = "this jug is great . " * (MAX_TEXT_CHARS // 20)
    padded = text.ljust(MAX_TEXT_CHARS)
    assert chance(fitted, padded + "awful " * 10_000) == chance(fitted, padded)


def test_markup_changes_nothing(fitted: LinearSentiment) -> None:
    assert chance(fitted, "this <b>jug</b> is<br />great") == chance(fitted, "this jug is great")


def test_no_review_is_no_probability(fitted: LinearSentiment) -> None:
    assert fitted.probabilities([]).shape == (0,)


def test_served_parts_are_what_was_fitted() -> None:
    """The folded tables give what the sparse matrices gave, part by part."""
    reviews = made_reviews(120, 3)
    arrays = fit_linear(reviews, made_vectors, [], RULE)
    read = read_all([tokens(text) for text in reviews.texts], arrays.words)
    every = np.arange(len(reviews))
    counts = term_table(read).take(every).counts
    present, damped = parts.presence(counts), parts.dampened(counts)
    vectors = np.vstack([np.zeros((1, 8), np.float32), made_vectors(arrays.words.ids)])
    means = word_means(read, vectors)
    expected = [
        parts.fit_counts(present, reviews.labels, 10.0).log_odds(present),
        parts.fit_rarity(damped, reviews.labels, 10.0).log_odds(damped),
        parts.fit_vectors(means, reviews.labels, 0.1).log_odds(means),
    ]
    served = LinearSentiment(arrays).parts(reviews.texts)
    np.testing.assert_allclose(served, np.column_stack(expected), atol=2e-3)


def test_the_same_reviews_give_the_same_model() -> None:
    one, other = (fit_linear(made_reviews(120, 3), made_vectors, [], RULE) for _ in range(2))
    assert one.terms.tobytes() == other.terms.tobytes()
    assert one.mixing.tolist() == other.mixing.tolist()


def test_calibration_error_of_known_cases() -> None:
    labels = np.array([1, 0, 1, 0])
    assert calibration_error(np.array([1.0, 0.0, 1.0, 0.0], np.float32), labels) == 0.0
    assert calibration_error(np.full(4, 0.5, np.float32), labels) == 0.0
    assert calibration_error(np.full(4, 0.9, np.float32), labels) == pytest.approx(0.4, abs=1e-6)
