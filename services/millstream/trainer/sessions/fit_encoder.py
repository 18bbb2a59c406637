"""Fits the session encoder: cross-entropy over many shared negatives, Adam, one falling cosine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.encoder import EncoderArrays
from millstream.model.sessions.ragged import Ints
from millstream.model.sessions.session_log import SessionLog
from millstream.model.sessions.told import NEVER, UNTOLD, gaps, passed
from millstream.trainer.devices import over_devices, share, summed
from millstream.trainer.fitting import Stopped, Watch
from millstream.trainer.sessions.augment import cropped, shown
from millstream.trainer.sessions.negatives import Drawn, Negatives
from millstream.trainer.sessions.network import NetworkRule, SessionNetwork
from millstream.trainer.sessions.start_vectors import StartRule, joined_by
from millstream.trainer.sessions.windows import LENGTHS, Batch, Windows, batches, windows

_RATES = (0.9, 0.999)
_WARM_STEPS = 200


@dataclass(frozen=True, slots=True)
class EncoderRule:
    """`targets` and `negatives` of a batch; `rate` is the greatest learning rate; an item, which
    moves only in the few batches that it is drawn for, has `item_rate` times that. `cropped`,
    `masked`: shares of windows and of touches (augment.py)."""

    network: NetworkRule = field(default_factory=NetworkRule)
    epochs: int = 3
    targets: int = 600
    negatives: int = 4_096
    rate: float = 2e-3
    item_rate: float = 8.0
    item_floor: float = 1e-3
    weight_decay: float = 0.01
    cropped: float = 0.0
    masked: float = 0.0


class EncoderFit:
    """One network and its optimiser, which may be fitted further on more sessions."""

    def __init__(self, start: FloatArray, rule: EncoderRule, seed: int) -> None:
        """`start` (items, d): where the item vectors begin."""
        keras.utils.set_random_seed(seed)
        self._rule, self._rng = rule, np.random.default_rng(seed)
        self._network = SessionNetwork(len(start), rule.network, seed)
        self._network.items.assign(start)
        self._optimizer = keras.optimizers.AdamW(rule.rate, weight_decay=rule.weight_decay)
        self._optimizer.build(self._network.dense_variables())
        self._items = self._network.items
        self._moments = [tf.Variable(tf.zeros(self._items.shape)) for _ in _RATES]
        self._steps = {length: self._compiled(length) for length in LENGTHS}

    def run(
        self,
        log: SessionLog,
        epochs: int,
        rate: float,
        told: Callable[[str], None],
        watch: Watch = lambda _: False,
    ) -> list[float]:
        """The mean loss of each epoch. Blocks for minutes. Raises Stopped soon after `watch`
        answers true."""
        cut = windows(log)
        counts = np.bincount(log.items, minlength=self._items.shape[0]).astype(np.float64)
        negatives = Negatives(counts, self._rule.negatives)
        total = epochs * sum(1 for _ in batches(cut, self._rule.targets, self._rng))
        losses: list[float] = []
        done = 0
        for epoch in range(epochs):
            seen = self._epoch(cut, negatives, (done, total, rate), watch)
            done += len(seen)
            losses.append(float(np.mean(seen)))
            told(f"epoch {epoch + 1} of {epochs}: loss {losses[-1]:.3f}")
        return losses

    def join(self, log: SessionLog, known: Ints, rule: StartRule) -> None:
        """Items that are not among the `known` rows go where their neighbours in `log` are."""
        self._items.assign(joined_by(log, self._items.numpy(), known, rule))

    def arrays(self) -> EncoderArrays:
        return self._network.arrays()

    def vectors(self, sessions: SessionLog) -> FloatArray:
        """(n, d) as Keras computes them: what `arrays` must give in numpy. Sessions of at most
        the last of LENGTHS, none of them empty."""
        last, touched = sessions.lengths() - 1, sessions.padded(LENGTHS[-1])
        items = tf.gather(tf.math.l2_normalize(self._items, -1), touched.items)
        told = _told(touched.kinds, touched.seconds)
        vectors = self._network(items, last + 1, told).numpy()
        return np.asarray(vectors[np.arange(len(last)), last], dtype=np.float32)

    def _epoch(
        self,
        cut: Windows,
        negatives: Negatives,
        schedule: tuple[int, int, float],
        watch: Watch,
    ) -> list[float]:
        done, total, rate = schedule
        losses: list[float] = []
        cut = cropped(cut, self._rule.cropped, self._rng)
        for batch in batches(cut, self._rule.targets, self._rng):
            step = done + len(losses)
            if watch(min(1.0, step / total)):
                raise Stopped
            warm = min(1.0, (step + 1) / _WARM_STEPS)
            falling = 0.02 + 0.49 * (1 + np.cos(np.pi * min(1.0, step / total)))
            drawn = negatives.draw(batch, self._rng)
            losses.append(self._step(batch, drawn, rate * warm * falling))
        return losses

    def _step(self, batch: Batch, drawn: Drawn, rate: float) -> float:
        self._optimizer.learning_rate.assign(rate)
        indexes = (drawn.touched, batch.lengths, batch.asked, drawn.rows, drawn.targets)
        seen = shown(batch.touched, self._rule.masked, self._rng)
        told = _told(
            np.where(seen > 0, batch.kinds, UNTOLD), np.where(seen > 0, batch.seconds, NEVER)
        )
        tensors = [tf.constant(values, tf.int32) for values in (*indexes, *told)]
        step = self._steps[batch.touched.shape[1]]
        return float(step(tensors, tf.constant(drawn.log_chances), tf.constant(seen)))

    def _compiled(self, length: int) -> Any:
        """One step for batches padded to `length`; any number of sessions, targets and items."""
        flat, padded = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None, length), tf.int32)
        between = tf.TensorSpec((None, length, length), tf.int32)
        given = [padded, *[flat] * 4, padded, padded, between]
        given = [given, tf.TensorSpec((None,)), tf.TensorSpec((None, length))]

        @tf.function(input_signature=given)  # type: ignore[untyped-decorator, unused-ignore]
        def step(batch: Any, odds: Any, seen: Any) -> Any:
            return summed(self._moved, batch, odds, seen)

        return step

    def _moved(self, batch: Any, odds: Any, seen: Any) -> Any:
        """What one device adds to a batch's mean loss, and moves the weights by: its share is of
        the sessions, with what is asked of them."""
        touched, lengths, asked, rows, targets, *told = batch
        first, end = share(tf.shape(touched)[0])
        length = touched.shape[1]
        ours = (asked >= first * length) & (asked < end * length)
        sessions = (
            touched[first:end],
            lengths[first:end],
            tf.boolean_mask(asked, ours) - first * length,
            seen[first:end],
            [part[first:end] for part in told],
        )
        variables = self._network.dense_variables()
        raw = tf.gather(self._items.value, rows)
        with tf.GradientTape() as tape:
            tape.watch(raw)
            summed_loss = self._loss(raw, sessions, tf.boolean_mask(targets, ours), odds)
            loss = summed_loss / tf.cast(tf.shape(asked)[0], tf.float32)
        *gradients, of_items = tape.gradient(loss, [*variables, raw])
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        self._optimizer.apply(gradients, variables)
        self._move_items(rows, over_devices(tf.convert_to_tensor(of_items)))
        return loss

    def _loss(self, raw: Any, session: tuple[Any, ...], targets: Any, odds: Any) -> Any:
        """Summed over the targets. Each is in its softmax for certain; every other item as often
        as its chance."""
        touched, lengths, asked, seen, told = session
        items = tf.math.l2_normalize(raw, -1)
        shown_items = tf.gather(items, touched) * seen[:, :, None]
        vectors = self._network(shown_items, lengths, told, training=True)
        vectors = tf.gather(tf.reshape(vectors, (-1, raw.shape[1])), asked)
        logits = tf.matmul(vectors, items, transpose_b=True) / self._rule.network.temperature
        wanted = tf.gather(logits, targets, batch_dims=1)
        places = tf.stack([tf.range(tf.shape(targets)[0]), targets], 1)
        corrected = tf.tensor_scatter_nd_update(logits - odds, places, wanted)
        return tf.reduce_sum(tf.reduce_logsumexp(corrected, -1) - wanted)

    def _move_items(self, rows: Any, gradient: Any) -> None:
        """Adam on the rows of this batch alone: a step over the whole table would cost more than
        all the rest."""
        table = self._items.value
        step = tf.cast(self._optimizer.iterations, tf.float32)
        means = []
        for power, (moment, kept) in enumerate(zip(self._moments, _RATES, strict=True), start=1):
            fresh = kept * tf.gather(moment, rows) + (1 - kept) * gradient**power
            moment.scatter_update(tf.IndexedSlices(fresh, rows))
            means.append(fresh / (1 - kept**step))
        rate = self._optimizer.learning_rate * self._rule.item_rate
        moved = rate * means[0] / (tf.sqrt(means[1]) + self._rule.item_floor)
        table.scatter_sub(tf.IndexedSlices(moved, rows))


def _told(kinds: Ints, seconds: Ints) -> tuple[Ints, Ints, Ints]:
    """As the network is called with it."""
    return kinds, gaps(seconds), passed(seconds[:, None, :], seconds[:, :, None])
