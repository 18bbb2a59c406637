from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.review_models import describe_reviews, lstm_model
from tests.training.outlets import SENTIMENT, Pointer, Producer, outlet_in
from tests.training.sentiment.made_reviews import made_reviews

from millstream.model.registry import Registry
from millstream.model.sentiment.lstm import PADDING, LstmArrays, LstmSentiment
from millstream.model.sentiment.manifest import ReviewKind
from millstream.model.sentiment.review import ReviewText
from millstream.model.signed_files import Identity
from millstream.trainer.sentiment.data import Reviews
from millstream.trainer.sentiment.fit_lstm import LstmFit, LstmRule
from millstream.trainer.sentiment.pipeline import Collected, train_review_version
from millstream.trainer.sentiment.wiring import review_tools
from millstream.trainer.settings import TrainerSettings

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


def test_it_is_the_documents_model_with_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Keras is asked for, by the rule that `evaluate reviews` and the trainer fit with."""
    asked: dict[str, Any] = {}

    def remembered(network: keras.Sequential, ids: Any, labels: Any, **said: Any) -> Any:
        asked.update(said, network=network, ids=ids, labels=labels)
        return SimpleNamespace(history={"val_loss": [0.5]})

    monkeypatch.setattr(keras.Sequential, "fit", remembered)
    of_40_words = [ReviewText("", " ".join(f"w{n}" for n in range(n, n + 40))) for n in range(1500)]
    labels = np.arange(1500) % 2
    arrays = LstmFit(LstmRule(), 0).fit(
        Reviews(tuple(of_40_words), labels, ("books",) * 1500), lambda _: None
    )

    network = asked["network"]
    embedding, lstm, dense = (layer.get_config() for layer in network.layers)
    assert (embedding["input_dim"], embedding["output_dim"]) == (1_000, 32)
    assert (lstm["units"], lstm["dropout"], lstm["recurrent_dropout"]) == (32, 0.2, 0.2)
    assert (dense["units"], dense["activation"]) == (1, "sigmoid")
    assert (type(network.optimizer), network.loss) == (keras.optimizers.Adam, "binary_crossentropy")

    assert (asked["epochs"], asked["batch_size"]) == (10, 32)
    [stopping] = asked["callbacks"]
    assert type(stopping) is keras.callbacks.EarlyStopping
    assert (stopping.monitor, stopping.patience) == ("val_loss", 3)
    validation = asked["validation_data"][0]
    assert (len(asked["ids"]), len(validation)) == (1350, 150)

    assert len(arrays.words) + 2 == 1_000, "with padding and the word that is none of them"
    assert asked["ids"].shape[1] == arrays.length == 100
    assert (asked["ids"][:, :60] == PADDING).all(), "in front of 40 words"
    assert (asked["ids"][:, 60:] > PADDING).all()


async def test_a_setting_makes_the_trainer_fit_it(
    tmp_path: Path, pointer: Pointer, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = []

    def quickly(fit: LstmFit, *_: object) -> LstmArrays:
        rules.append(fit._rule)
        return lstm_model()

    monkeypatch.setattr(LstmFit, "fit", quickly)
    monkeypatch.setenv("MILLSTREAM_REVIEW_KIND", "lstm")
    outlet = outlet_in(tmp_path, SENTIMENT, pointer, producer)
    tools = review_tools(TrainerSettings(model_name="sentiment"), outlet, lambda _: None)
    manifest, announced = await train_review_version(Collected(made_reviews(400, 0)), tools)
    assert manifest.kind is ReviewKind.LSTM
    assert (announced.model, announced.version) == ("sentiment", 1)
    assert rules == [LstmRule()]
