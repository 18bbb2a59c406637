"""Stage 5: the network learns; the one stage that needs TensorFlow."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from millstream.model.network import (
    ACCURACY_THRESHOLD,
    NetworkWeights,
    build_network,
    network_weights,
    set_network_weights,
)
from millstream.trainer.batches import Epoch, draw_epoch
from millstream.trainer.devices import share, summed
from millstream.trainer.encode import Interactions, Start
from millstream.trainer.fitting import Fitted, Stopped, Watch
from millstream.trainer.settings import Training

# Steps in one call into TensorFlow: enough that Python's part does not count, few enough that a
# call lasts well under a second, since the wish to stop is looked at in between.
_STEPS_A_CALL = 64


def limit_threads(threads: int) -> None:
    """For the whole process, before TensorFlow has computed anything (else RuntimeError)."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def fit_network(data: Interactions, rule: Training, watch: Watch, log_dir: Path | None) -> Fitted:
    """Blocks for seconds to minutes. Raises Stopped soon after `watch` answers true. With
    `log_dir`, loss and accuracy of each epoch are written there for TensorBoard."""
    model = build_network(
        len(data.users), len(data.items), rule.dimensions, rule.learning_rate, rule.seed
    )
    if isinstance(start := data.start, Start):
        set_network_weights(
            model,
            NetworkWeights(
                start.user_vectors, start.item_vectors, start.dense_weight, start.dense_bias
            ),
        )
    rng = np.random.default_rng(rule.seed)
    steps = _compiled_steps(model)
    watchers = [] if log_dir is None else [keras.callbacks.TensorBoard(str(log_dir))]
    callbacks = keras.callbacks.CallbackList(watchers, model=model)
    curve = []
    callbacks.on_train_begin()
    for number in range(rule.epochs):
        callbacks.on_epoch_begin(number)
        watched = partial(_in_all, watch, number, rule.epochs)
        loss, accuracy = _run_epoch(steps, draw_epoch(data, rule, rng), watched)
        callbacks.on_epoch_end(number, {"loss": loss, "accuracy": accuracy})
        curve.append(loss)
    callbacks.on_train_end()
    user_vectors, item_vectors, weight, bias = network_weights(model)
    return Fitted(user_vectors, item_vectors, weight, bias, tuple(curve))


def _in_all(watch: Watch, epoch: int, epochs: int, share: float) -> bool:
    """A share of one epoch as that of all."""
    return watch((epoch + share) / epochs)


def _run_epoch(steps: Any, epoch: Epoch, watch: Watch) -> tuple[float, float]:
    """Mean loss (weighted) and accuracy at 0.5 over the epoch."""
    loss = right = 0.0
    for start in range(0, len(epoch.users), _STEPS_A_CALL):
        if watch(start / len(epoch.users)):
            raise Stopped
        call = slice(start, start + _STEPS_A_CALL)
        summed, share = steps(*(rows[call] for rows in epoch))
        loss += float(summed)
        right += float(share)
    return loss / len(epoch.users), right / len(epoch.users)


def _compiled_steps(model: keras.Model) -> Any:
    """A function of (steps, batch) users, items, labels and weights that trains on each batch in
    turn and returns the sums of the batches' losses and accuracies.

    The loop stands inside the graph: with small batches that is six times as fast as `fit`."""
    step = _step(model)
    tables = [
        tf.TensorSpec((None, None), kind) for kind in (tf.int32, tf.int32, tf.float32, tf.float32)
    ]

    @tf.function(input_signature=tables)  # type: ignore[untyped-decorator, unused-ignore]
    def steps(users: Any, items: Any, labels: Any, weights: Any) -> tuple[Any, Any]:
        loss, right = tf.constant(0.0), tf.constant(0.0)
        for at in tf.range(tf.shape(users)[0]):
            value, share_right = summed(step, users[at], items[at], labels[at], weights[at])
            loss += value
            right += share_right
        return loss, right

    model.optimizer.build(model.trainable_variables)
    return steps


def _step(model: keras.Model) -> Any:
    """What one device adds to a batch's mean loss and accuracy, and moves the weights by."""
    cross_entropy = keras.losses.BinaryCrossentropy(reduction="sum")

    def step(users: Any, items: Any, labels: Any, weights: Any) -> tuple[Any, Any]:
        first, end = share(tf.shape(users)[0])
        size, label = tf.cast(tf.shape(users)[0], tf.float32), labels[first:end, None]
        with tf.GradientTape() as tape:
            guess = model([users[first:end, None], items[first:end, None]], training=True)
            value = cross_entropy(label, guess, sample_weight=weights[first:end]) / size
        gradients = tape.gradient(value, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)
        hit = tf.equal(guess > ACCURACY_THRESHOLD, label > ACCURACY_THRESHOLD)
        return value, tf.reduce_sum(tf.cast(hit, tf.float32)) / size

    return step
