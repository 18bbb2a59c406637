from __future__ import annotations

import numpy as np
from tests.unit.trainer.sentiment.made_reviews import made_reviews

from millstream.model.sentiment.lstm import PADDING, LstmSentiment
from millstream.model.sentiment.review import ReviewText
from millstream.trainer.sentiment.fit_lstm import LstmFit, LstmRule

TINY = LstmRule(words=30, length=12, dimensions=6, units=5, epochs=1)
STRANGE = [
    ReviewText("", ""),
    ReviewText("It's GREAT!", "don't-you <b>think</b> so? " * 20),
    ReviewText("очень", "хорошо 42"),
]


def test_numpy_serves_what_keras_trained() -> None:
    fit, lines = LstmFit(TINY, seed=0), list[str]()
    served = LstmSentiment(fit.fit(made_reviews(64, 0), lines.append))
    asked = [*made_reviews(20, 5).texts, *STRANGE]

    np.testing.assert_allclose(served.probabilities(asked), fit.probabilities(asked), atol=1e-5)
    assert served.probabilities([]).shape == (0,)
    assert len(lines) == 1
    ids = served.ids([ReviewText("", "this lamp"), ReviewText("", "")])
    assert ids[0, :-2].tolist() == [PADDING] * 10
    assert (ids[0, -2:] > PADDING).all()
    assert ids[1].tolist() == [PADDING] * 12
