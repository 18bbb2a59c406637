"""A review model that verifies can still be useless: it is asked before it judges a review."""

from __future__ import annotations

import numpy as np

from millstream.domain.reviews import MAX_TEXT_CHARS, MAX_TITLE_CHARS
from millstream.model.manifest import ArtifactRefused
from millstream.model.sentiment.review import ReviewText
from millstream.model.sentiment.sentiment import Sentiment
from millstream.model.vocabulary import Vocabulary

_KNOWN = (
    ReviewText("Great", "Works as it should, I would buy it again."),
    ReviewText("Do not buy", "It broke on the first day and nobody answered."),
    ReviewText("", ""),
    ReviewText("", " \n\t"),
    ReviewText("<b>Good</b>", 'so<br />good &amp; cheap <a href="x">here</a> <'),
    ReviewText("good " * MAX_TITLE_CHARS, "not bad at all . " * MAX_TEXT_CHARS),
    ReviewText("\x00", "とても良い 😀 !!! '"),
)
_OWN_WORDS = 50


def check_golden(sentiment: Sentiment, words: Vocabulary) -> None:
    """Known reviews (praise, blame, none at all, markup, one far beyond the bounds) and one of the
    model's own words: each gets a finite probability from 0 to 1, and the same by itself as among
    the others. Raises ArtifactRefused. Takes some hundredths of a second."""
    spread = np.linspace(0, len(words) - 1, min(_OWN_WORDS, len(words))).astype(int)
    own = " ".join(words[row] for row in spread)
    asked = [*_KNOWN, ReviewText(own, own)]
    with np.errstate(all="ignore"):  # what overflows is found below
        together = sentiment.probabilities(asked)
        alone = np.concatenate([sentiment.probabilities([review]) for review in asked])
        none = sentiment.probabilities([])
    if together.shape != (len(asked),) or none.shape != (0,):
        raise ArtifactRefused(f"golden input: {len(asked)} reviews give {together.shape}")
    if not ((together >= 0) & (together <= 1)).all():  # also where one is not a number
        raise ArtifactRefused("golden input: a probability is not from 0 to 1")
    if not np.allclose(together, alone, atol=1e-5):
        raise ArtifactRefused("golden input: a review is judged by those beside it")
