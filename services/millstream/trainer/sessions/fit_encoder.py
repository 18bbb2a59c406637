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
from millstream.trainer.sessions.windows import LENGTHS, Batch, Windows, batches, newest, windows

_RATES = (0.9, 0.999)
_WARM_STEPS = 200
_RISING = 0.2
"""Of all steps where a fit goes on, of which there are few: hence the faster pace, too."""
_FASTER = 2.0
_AGAIN = 0.5
"""Touches that were learnt before for each that is new."""


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


@dataclass
class Pace:
    """Of the learning rate over all `steps`: it rises for `rising` of them, below one falling
    cosine."""

    rate: float
    steps: int
    rising: int
    done: int = 0

    @property
    def share(self) -> float:
        """Of the steps that are done."""
        return min(1.0, self.done / self.steps)

    def next(self) -> float:
        rising = min(1.0, (self.done + 1) / self.rising)
        falling = 0.02 + 0.49 * (1 + np.cos(np.pi * self.share))
        self.done += 1
        return float(self.rate * rising * falling)


class EncoderFit:
    """One network and its optimiser, which may be fitted further on more sessions. The item table
    (items, d), not normalised, and its moments are as long as they have to be."""

    def __init__(self, start: FloatArray, rule: EncoderRule, seed: int) -> None:
        """`start`: as `begin_anew`."""
        keras.utils.set_random_seed(seed)
        self._rule, self._seed = rule, seed
        self._network = SessionNetwork(rule.network, seed)
        self._optimizer = keras.optimizers.AdamW(rule.rate, weight_decay=rule.weight_decay)
        self._optimizer.build(self._network.trainable_variables)
        self._items, *self._moments = (_table(rule.network.dimensions) for _ in (None, *_RATES))
        self._variables = [*self._network.variables, *self._optimizer.variables]
        self._made = [variable.value.numpy().copy() for variable in self._variables]
        self._stepped = self._compiled()
        self.begin_anew(start)

    def begin_anew(self, start: FloatArray) -> None:
        """As if it were made now, with the item vectors at `start` (items, d), but for the step,
        which TensorFlow has compiled."""
        self._rng = np.random.default_rng(self._seed)
        for variable, made in zip(self._variables, self._made, strict=True):
            variable.assign(made)
        self._items.assign(start)
        for moment in self._moments:
            moment.assign(np.zeros_like(start))

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
        cut, negatives, losses = windows(log), self._negatives(log), list[float]()
        pace = Pace(rate, epochs * self._steps(cut), _WARM_STEPS)
        for epoch in range(epochs):
            losses.append(self._epoch(cut, negatives, pace, watch))
            told(f"epoch {epoch + 1} of {epochs}: loss {losses[-1]:.3f}")
        return losses

    def go_on(self, log: SessionLog, fresh: Ints, epochs: int, watch: Watch) -> list[float]:
        """As `run`, of the newest `fresh` (sessions,) touches, and of some others, drawn anew for
        each epoch, lest what was learnt before be forgotten."""
        cuts = [newest(log, fresh, _AGAIN, self._rng) for _ in range(epochs)]
        negatives, steps = self._negatives(log), sum(map(self._steps, cuts))
        pace = Pace(_FASTER * self._rule.rate, steps, max(1, round(_RISING * steps)))
        return [self._epoch(cut, negatives, pace, watch) for cut in cuts]

    def begin(self, arrays: EncoderArrays) -> None:
        """All but the items goes where it is in `arrays`, of an encoder by the same rule."""
        self._network.assign(arrays)

    def join(self, log: SessionLog, known: Ints, rule: StartRule) -> None:
        """Items that are not among the `known` rows go where their neighbours in `log` are."""
        self._items.assign(joined_by(log, self._items.numpy(), known, rule))

    def arrays(self) -> EncoderArrays:
        return self._network.arrays(self._items.numpy())

    def vectors(self, sessions: SessionLog) -> FloatArray:
        """(n, d) as Keras computes them: what `arrays` must give in numpy. Sessions of at most
        the last of LENGTHS, none of them empty."""
        last, touched = sessions.lengths() - 1, sessions.padded(LENGTHS[-1])
        items = tf.gather(tf.math.l2_normalize(self._items, -1), touched.items)
        told = _told(touched.kinds, touched.seconds)
        vectors = self._network(items, last + 1, told).numpy()
        return np.asarray(vectors[np.arange(len(last)), last], dtype=np.float32)

    def _negatives(self, log: SessionLog) -> Negatives:
        items = int(tf.shape(self._items)[0])
        counts = np.bincount(log.items, minlength=items).astype(np.float64)
        return Negatives(counts, self._rule.negatives)

    def _steps(self, cut: Windows) -> int:
        return sum(1 for _ in batches(cut, self._rule.targets, self._rng))

    def _epoch(self, cut: Windows, negatives: Negatives, pace: Pace, watch: Watch) -> float:
        """The mean loss; 0 where there is nothing to learn."""
        losses: list[float] = []
        cut = cropped(cut, self._rule.cropped, self._rng)
        for batch in batches(cut, self._rule.targets, self._rng):
            if watch(pace.share):
                raise Stopped
            drawn = negatives.draw(batch, self._rng)
            losses.append(self._step(batch, drawn, pace.next()))
        return float(np.mean(losses)) if losses else 0.0

    def _step(self, batch: Batch, drawn: Drawn, rate: float) -> float:
        self._optimizer.learning_rate.assign(rate)
        indexes = (drawn.touched, batch.lengths, batch.asked, drawn.rows, drawn.targets)
        seen = shown(batch.touched, self._rule.masked, self._rng)
        told = _told(
            np.where(seen > 0, batch.kinds, UNTOLD), np.where(seen > 0, batch.seconds, NEVER)
        )
        tensors = [tf.constant(values, tf.int32) for values in (*indexes, *told)]
        odds, seen = tf.constant(drawn.log_chances), tf.constant(seen)
        return float(self._stepped(tensors, odds, seen))

    def _compiled(self) -> Any:
        """One step for batches of any size and length: TensorFlow takes seconds to make one."""
        flat, padded = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None, None), tf.int32)
        between = tf.TensorSpec((None, None, None), tf.int32)
        given = [padded, *[flat] * 4, padded, padded, between]
        given = [given, tf.TensorSpec((None,)), tf.TensorSpec((None, None))]

        @tf.function(input_signature=given)  # type: ignore[untyped-decorator, unused-ignore]
        def step(batch: Any, odds: Any, seen: Any) -> Any:
            return summed(self._moved, batch, odds, seen)

        return step

    def _moved(self, batch: Any, odds: Any, seen: Any) -> Any:
        """What one device adds to a batch's mean loss, and moves the weights by: its share is of
        the sessions, with what is asked of them."""
        touched, lengths, asked, rows, targets, *told = batch
        first, end = share(tf.shape(touched)[0])
        length = tf.shape(touched)[1]
        ours = (asked >= first * length) & (asked < end * length)
        sessions = (
            touched[first:end],
            lengths[first:end],
            tf.boolean_mask(asked, ours) - first * length,
            seen[first:end],
            [part[first:end] for part in told],
        )
        variables = self._network.trainable_variables
        raw = tf.gather(self._items, rows)
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
        step = tf.cast(self._optimizer.iterations, tf.float32)
        means = []
        for power, (moment, kept) in enumerate(zip(self._moments, _RATES, strict=True), start=1):
            fresh = kept * tf.gather(moment, rows) + (1 - kept) * gradient**power
            moment.scatter_update(tf.IndexedSlices(fresh, rows))
            means.append(fresh / (1 - kept**step))
        rate = self._optimizer.learning_rate * self._rule.item_rate
        moved = rate * means[0] / (tf.sqrt(means[1]) + self._rule.item_floor)
        self._items.scatter_sub(tf.IndexedSlices(moved, rows))


def _table(dimensions: int) -> Any:
    """(n, d) of any n: what is compiled for one goes on with all."""
    empty = tf.zeros((0, dimensions))
    return tf.Variable(empty, trainable=False, shape=tf.TensorShape((None, dimensions)))


def _told(kinds: Ints, seconds: Ints) -> tuple[Ints, Ints, Ints]:
    """As the network is called with it."""
    return kinds, gaps(seconds), passed(seconds[:, None, :], seconds[:, :, None])
