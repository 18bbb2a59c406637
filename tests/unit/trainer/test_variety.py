"""Figures of lists whose items can be counted by hand."""

from collections import Counter

import numpy as np
import pytest

from millstream.model.embeddings import Embeddings, ServingRule
from millstream.model.scorer import Scorer
from millstream.model.vocabulary import Vocabulary
from millstream.trainer.quality.variety import likeness, novelty


def test_novelty_is_the_mean_of_what_each_place_tells() -> None:
    sold = Counter(a=4, b=2, c=2)
    assert novelty([["a", "b"], ["c"]], sold) == pytest.approx((1 + 2 + 2) / 3)


def test_what_was_never_sold_counts_as_sold_once() -> None:
    assert novelty([["new"]], Counter(a=8)) == pytest.approx(3.0)


def test_likeness_is_the_mean_cosine_of_the_known_pairs_of_a_list() -> None:
    items = np.array([[2, 0], [0, 1], [1, 1]], np.float32)
    names, none = Vocabulary(["a", "b", "c"]), np.zeros((0, 2), np.float32)
    rule = ServingRule(24, 10.0, 0.5)
    scorer = Scorer(Embeddings(Vocabulary([]), names, none, items, none, 1.0, 0.0, rule))
    assert likeness([["a", "b", "unknown"]], scorer) == pytest.approx(0.0, abs=1e-6)
    assert likeness([["a", "c"], ["a"]], scorer) == pytest.approx(0.5**0.5, abs=1e-6)
