"""Stage 5 by the session encoder: what a shopper touches next, from what was touched before."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import tensorflow as tf

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.encoder import Encoder, EncoderArrays
from millstream.model.sessions.session_log import SessionLog
from millstream.trainer.encode import EncoderStart, Interactions
from millstream.trainer.fitting import Fitted, Watch
from millstream.trainer.sessions.fit_encoder import EncoderFit, EncoderRule
from millstream.trainer.sessions.network import NetworkRule
from millstream.trainer.sessions.start_vectors import StartRule, start_vectors, unit
from millstream.trainer.settings import Training

_DROPOUT = 0.3
_NEGATIVES = 2_048
_ASKED = 512


def fit_sessions(data: Interactions, rule: Training, watch: Watch, log_dir: Path | None) -> Fitted:
    """Implements fitting.Fit. A shopper's own vector is the mean of all that was touched; that of
    the recent items comes from the encoder. With `log_dir` the loss of each epoch is written there
    for TensorBoard."""
    network = NetworkRule(
        dimensions=rule.dimensions, dropout=_DROPOUT, inputs=frozenset(rule.session_inputs)
    )
    learning = EncoderRule(network=network, negatives=_NEGATIVES)
    rng, epochs = np.random.default_rng(rule.seed), rule.session_epochs
    fitting = _fitting(learning, rule.seed, tf.distribute.get_strategy())
    if isinstance(start := data.start, EncoderStart):
        fitting.begin_anew(_filled(start.item_vectors, rng))
        fitting.begin(start.encoder)
        losses = fitting.go_on(data.touched, start.fresh, epochs, watch)
    else:
        items = start_vectors(data.touched, len(data.items), rule.dimensions, rng, StartRule())
        fitting.begin_anew(items)
        losses = fitting.run(data.touched, epochs, learning.rate, lambda _: None, watch)
    if log_dir is not None:
        _write_curve(log_dir, losses)
    arrays = fitting.arrays()
    fitting.begin_anew(_no_items(rule.dimensions))
    return Fitted(
        user_vectors=_means(data, arrays.items),
        item_vectors=arrays.items,
        dense_weight=1.0 / arrays.temperature,
        dense_bias=-_log_sum(arrays, data.touched, rng),
        losses=tuple(losses),
        encoder=arrays,
    )


@lru_cache(maxsize=1)
def _fitting(rule: EncoderRule, seed: int, strategy: tf.distribute.Strategy) -> EncoderFit:
    """One for all fits of a process, one after the other, since TensorFlow takes longer to compile
    a step than a version that goes on takes to learn."""
    with strategy.scope():
        return EncoderFit(_no_items(rule.network.dimensions), rule, seed)


def _no_items(dimensions: int) -> FloatArray:
    return np.zeros((0, dimensions), dtype=np.float32)


def _filled(items: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(n_items, d) of unit length; one of which nothing is known points anywhere."""
    anywhere = rng.standard_normal(items.shape).astype(np.float32)
    return unit(np.where(items.any(axis=1, keepdims=True), items, anywhere))


def _means(data: Interactions, items: FloatArray) -> FloatArray:
    """(n_users, d) unit means of what each touched, by weight."""
    sums = np.zeros((len(data.users), items.shape[1]), dtype=np.float32)
    np.add.at(sums, data.user_rows, data.weights[:, None] * items[data.item_rows])
    return unit(sums)


def _log_sum(arrays: EncoderArrays, touched: SessionLog, rng: np.random.Generator) -> float:
    """The logarithm of the softmax's denominator in the mean over some shoppers: less it, a logit
    is the logarithm of a share of all items."""
    known = np.flatnonzero(touched.lengths() > 0)
    asked = touched.take(rng.permutation(known)[:_ASKED])
    logits = Encoder(arrays).vectors(asked) @ arrays.items.T / np.float32(arrays.temperature)
    best = logits.max(axis=1)
    return float(np.mean(best + np.log(np.exp(logits - best[:, None]).sum(axis=1))))


def _write_curve(log_dir: Path, losses: list[float]) -> None:
    with tf.summary.create_file_writer(str(log_dir / "train")).as_default():
        for epoch, loss in enumerate(losses):
            tf.summary.scalar("epoch_loss", loss, step=epoch)
