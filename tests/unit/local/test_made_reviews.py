"""Made-up reviews: the same again from a seed, of either kind, enough for a model and its exam."""

from __future__ import annotations

from random import Random

import numpy as np
from tests.builders import NOON_MS, event

from millstream.domain.events import EventType
from millstream.local import made_reviews
from millstream.local.made_reviews import made_up, made_up_labelled
from millstream.local.reviewing import LEARNT, SEED, selling
from millstream.trainer.sentiment.compare import ReviewGateRule
from millstream.trainer.sentiment.data import held_out
from millstream.trainer.sentiment.pipeline import FOLDS, LEAST_OF_EACH, require_enough


def test_a_seed_makes_the_same_reviews_again_and_no_text_twice() -> None:
    made = made_up_labelled(500, 1)
    assert made.texts == made_up_labelled(500, 1).texts
    assert made.texts != made_up_labelled(500, 2).texts
    assert len({review.text for review in made.texts}) == 500


def test_what_is_liked_is_made_of_praise() -> None:
    random = Random(3)
    for good, words in ((1.0, made_reviews._GOOD), (0.0, made_reviews._BAD)):
        for _ in range(50):
            one = made_up(random, good)
            assert one.good == (good == 1.0)
            assert any(sentence in one.text for sentence in words)
    shares = [made_up(random, 0.8).good for _ in range(2_000)]
    assert 0.77 < np.mean(shares) < 0.83


def test_the_demo_has_enough_of_them_for_a_model_and_its_exam() -> None:
    made = made_up_labelled(LEARNT, SEED)
    require_enough(made)
    asked = held_out(made, FOLDS)
    assert asked.sum() >= ReviewGateRule().least_reviews
    assert min(np.bincount(made.labels[~asked])) > LEAST_OF_EACH


def test_what_sells_is_told_by_the_last_purchases() -> None:
    bought = [
        event(f"e{n}", "ann", item, kind=EventType.PURCHASE, at_ms=NOON_MS + n)
        for n, item in enumerate(["mug", "pot", "mug", "postage", "postage", "postage"])
    ]
    looks = [event("v", "ann", "lamp", at_ms=NOON_MS + 99)]
    found = selling([*bought, *looks], frozenset({"postage"}))
    assert (found.items, found.now_ms) == (["mug", "pot"], NOON_MS + 99)
