"""What fits a review model of each kind, and what stands for its settings in the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from millstream.model.sentiment.artifact import ReviewArrays
from millstream.model.sentiment.manifest import ReviewKind
from millstream.model.word_vectors import WordVectors
from millstream.trainer.sentiment.data import Reviews
from millstream.trainer.sentiment.fit_linear import LinearRule, fit_linear

ReviewFit = Callable[[Reviews], ReviewArrays]


def fit_of(kind: ReviewKind, seed: int, told: Callable[[str], None]) -> tuple[ReviewFit, str]:
    """A function that blocks for seconds (linear) or minutes (LSTM), and 12 hexadecimal digits for
    its settings. The linear one needs no seed. Raises OperatorError without the extra `text`."""
    if kind is ReviewKind.LINEAR:
        vectors = WordVectors()
        more = vectors.whole_words()
        linear = LinearRule()
        return lambda reviews: fit_linear(reviews, vectors.unit, more, linear), _digest(linear)
    # Keras takes seconds and memory, and the linear model needs neither.
    from millstream.trainer.sentiment.fit_lstm import LstmFit, LstmRule

    rule = LstmRule()
    return lambda reviews: LstmFit(rule, seed).fit(reviews, told), _digest(rule)


def _digest(rule: object) -> str:
    deciding = (type(rule).__name__, rule)
    return hashlib.sha256(msgspec.json.encode(deciding)).hexdigest()[:12]
