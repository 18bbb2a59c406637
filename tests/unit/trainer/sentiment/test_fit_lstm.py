from __future__ import annotations

from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.review_models import describe_reviews
from tests.unit.trainer.sentiment.made_reviews import made_reviews

from millstream.model.registry import Registry
from millstream.model.sentiment.lstm import PADDING, LstmSentiment
from millstream.model.sentiment.review import ReviewText
from millstream.model.signed_files import Identity
from millstream.trainer.sentiment.fit_lstm import LstmFit, LstmRule

TINY = LstmRule(words=30, length=12, dimensions=6, units=5, epochs=1)
STRANGE = [
    ReviewText("", ""),
    ReviewText("It's GREAT!", "don't-you <b>think</b> so? " * 20),
    ReviewText("очень", "хорошо 42"),
]


def test_numpy_serves_what_keras_trained(tmp_path: Path) -> None:
    """Also once it was written and read again."""
    fit, lines = LstmFit(TINY, seed=0), list[str]()
    arrays = fit.fit(made_reviews(64, 0), lines.append)
    served = LstmSentiment(arrays)
    asked = [*made_reviews(20, 5).texts, *STRANGE]

    np.testing.assert_allclose(served.probabilities(asked), fit.probabilities(asked), atol=1e-5)
    assert served.probabilities([]).shape == (0,)
    assert len(lines) == 1
    ids = served.ids([ReviewText("", "this lamp"), ReviewText("", "")])
    assert ids[0, :-2].tolist() == [PADDING] * 10
    assert (ids[0, -2:] > PADDING).all()
    assert ids[1].tolist() == [PADDING] * 12

    registry, key = Registry(tmp_path), Ed25519PrivateKey.generate()
    _, sha = registry.register_reviews(arrays, describe_reviews, key)
    wanted = Identity("default", "sentiment", 1, sha)
    again = registry.load_reviews(key.public_key(), wanted).sentiment
    assert again.probabilities(asked).tobytes() == served.probabilities(asked).tobytes()
