"""What every model of review sentiment does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from millstream.model.embeddings import FloatArray
from millstream.model.sentiment.review import ReviewText


class Sentiment(Protocol):
    def probabilities(self, reviews: Sequence[ReviewText], /) -> FloatArray:
        """(n,) that the review is a good one. Of any text, the empty one too."""
        ...
