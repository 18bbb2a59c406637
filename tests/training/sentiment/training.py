"""What a training of reviews works with, in memory, and a fit that takes a fraction of a second."""

from __future__ import annotations

from tests.training.sentiment.made_reviews import made_vectors

from millstream.model.sentiment.linear import LinearArrays
from millstream.trainer.sentiment.data import Reviews
from millstream.trainer.sentiment.fit_linear import LinearRule, fit_linear

NOW = 1_770_000_000_000
RULE = LinearRule(counts=(10.0,), rarity=(10.0,), likeness=(0.1,), inner_folds=2)


def linear(reviews: Reviews) -> LinearArrays:
    return fit_linear(reviews, made_vectors, [], RULE)
