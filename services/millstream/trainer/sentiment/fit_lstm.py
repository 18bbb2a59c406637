"""Fits the document's review model, with its settings: 1,000 words, 100 ids, embedding 32, LSTM 32
with dropout 0.2 and recurrent dropout 0.2, Adam, binary cross-entropy, at most 10 epochs of batches
of 32, ended when the validation loss has not fallen for 3.

TextVectorization in place of the Tokenizer that Keras 3 no longer has; padded in front, as
`pad_sequences` does: padded at the end, the LSTM forgets the review over the padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.model.sentiment.lstm import LstmArrays, LstmSentiment, bounded
from millstream.model.sentiment.review import ReviewText
from millstream.model.vocabulary import Vocabulary
from millstream.trainer.sentiment.data import Reviews


@dataclass(frozen=True, slots=True)
class LstmRule:
    words: int = 1_000
    length: int = 100
    dimensions: int = 32
    units: int = 32
    dropout: float = 0.2
    epochs: int = 10
    batch: int = 32
    patience: int = 3
    validation_share: float = 0.1


class LstmFit:
    def __init__(self, rule: LstmRule, seed: int) -> None:
        keras.utils.set_random_seed(seed)
        self._rule, self._rng = rule, np.random.default_rng(seed)
        self._vectorizer = keras.layers.TextVectorization(max_tokens=rule.words)
        self._network = self._built()

    def fit(self, reviews: Reviews, told: Callable[[str], None]) -> LstmArrays:
        """Blocks for minutes. The validation part is drawn from the reviews."""
        self._vectorizer.adapt([bounded(text) for text in reviews.texts])
        ids, order = self._ids(reviews.texts), self._rng.permutation(len(reviews))
        held = round(self._rule.validation_share * len(order))
        validation, fitted = order[:held], order[held:]
        found = self._network.fit(
            ids[fitted],
            reviews.labels[fitted],
            validation_data=(ids[validation], reviews.labels[validation]),
            epochs=self._rule.epochs,
            batch_size=self._rule.batch,
            callbacks=[keras.callbacks.EarlyStopping("val_loss", patience=self._rule.patience)],
            verbose=0,
        )
        losses = found.history["val_loss"]
        told(f"LSTM: {len(losses)} epochs, validation loss {losses[-1]:.3f}")
        return self._arrays()

    def probabilities(self, texts: Sequence[ReviewText]) -> FloatArray:
        """(n,) as Keras computes them: what LstmSentiment must give in numpy."""
        return np.asarray(self._network.predict(self._ids(texts), verbose=0)[:, 0])

    def _ids(self, texts: Sequence[ReviewText]) -> Any:
        padded = np.asarray(self._vectorizer([bounded(text) for text in texts]))
        rows = [row[row > 0] for row in padded]
        return keras.utils.pad_sequences(rows, maxlen=self._rule.length)

    def _built(self) -> Any:
        rule = self._rule
        network = keras.Sequential(
            [
                keras.Input((rule.length,), dtype="int32"),
                keras.layers.Embedding(rule.words, rule.dimensions),
                keras.layers.LSTM(rule.units, dropout=rule.dropout, recurrent_dropout=rule.dropout),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        network.compile(
            optimizer="adam",
            loss="binary_crossentropy",
            metrics=["accuracy"],
            jit_compile=False,  # XLA compiles the unrolled steps for a minute and a half
        )
        return network

    def _arrays(self) -> LstmArrays:
        embedding, kernel, recurrent, bias, dense, dense_bias = self._network.get_weights()
        words = Vocabulary(map(str, self._vectorizer.get_vocabulary()[2:]))  # else numpy's
        return LstmArrays(
            words=words,
            embedding=embedding[: len(words) + 2],
            kernel=kernel,
            recurrent=recurrent,
            bias=bias,
            dense=dense[:, 0],
            dense_bias=float(dense_bias[0]),
            length=self._rule.length,
        )


def fit_lstm(reviews: Reviews, seed: int, told: Callable[[str], None]) -> LstmSentiment:
    return LstmSentiment(LstmFit(LstmRule(), seed).fit(reviews, told))
