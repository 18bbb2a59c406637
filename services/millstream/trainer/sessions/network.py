"""The session encoder in Keras, as model/sessions/encoder.py serves it: a causal block, so that
every touch of a session is a question at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from millstream.domain.models import SessionInput
from millstream.model.embeddings import FloatArray
from millstream.model.sessions.encoder import BLOCK, EPSILON, MASKED, EncoderArrays
from millstream.model.sessions.told import GAPS, KINDS

_TABLES = (
    (SessionInput.KIND, "kinds", "pool_kinds", KINDS),
    (SessionInput.GAP, "gaps", "pool_ages", GAPS),
)
_PACE = 5.0
"""What is told of a touch begins at zero, and a training has few steps: it moves so many times as
far in each as the rest."""


@dataclass(frozen=True, slots=True)
class NetworkRule:
    dimensions: int = 256
    heads: int = 2
    touches: int = 32
    temperature: float = 0.07
    dropout: float = 0.45
    inputs: frozenset[SessionInput] = frozenset()


class SessionNetwork(keras.Model):  # type: ignore[misc, unused-ignore]
    """Call: (n, l, d) unit item vectors, (n,) lengths, and what is told of the touches: (n, l)
    kinds, (n, l) gaps since the one before, (n, l, l) ages [p, q] from q until p. -> (n, l, d) unit
    session vectors, the one at place p knowing the touches up to p."""

    def __init__(self, rule: NetworkRule, seed: int) -> None:
        super().__init__()
        self.rule, d = rule, rule.dimensions
        draw = iter(range(seed * 1_000 + 1, seed * 1_000 + 1_000))

        def matrix(name: str, rows: int, columns: int) -> Any:
            start = keras.initializers.RandomNormal(stddev=rows**-0.5, seed=next(draw))
            return self.add_weight(shape=(rows, columns), initializer=start, name=name)

        self.mixed, self.joined = matrix("mixed", d, 3 * d), matrix("joined", d, d)
        self.widened, self.narrowed = matrix("widened", d, 2 * d), matrix("narrowed", 2 * d, d)
        self.asking, self.answering = matrix("asking", d, d), matrix("answering", d, d)
        self.widened_bias = self.add_weight(shape=(2 * d,), initializer="zeros")
        self.narrowed_bias = self.add_weight(shape=(d,), initializer="zeros")
        self.gains = self.add_weight(shape=(3, d), initializer="ones")
        self.distance = self.add_weight(shape=(rule.heads, rule.touches), initializer="zeros")
        self.pool_distance = self.add_weight(shape=(rule.touches,), initializer="zeros")
        # Pooling starts at the newest touches: attention finds its way from there sooner.
        self.pool_distance.assign(-0.5 * np.arange(rule.touches, dtype=np.float32))
        self.tables = {}
        for told, entering, pooling, rows in _TABLES:
            if told in rule.inputs:
                self.tables[entering] = self.add_weight(shape=(rows, d), initializer="zeros")
                self.tables[pooling] = self.add_weight(shape=(rows,), initializer="zeros")
        self.drop = keras.layers.Dropout(rule.dropout, seed=seed)
        self.built = True

    def call(self, touched: Any, lengths: Any, told: Any, training: bool = False) -> Any:
        visible = _visible(tf.shape(touched)[1], lengths)
        state, near = self._told(touched * self.rule.dimensions**0.5, *told)
        seen = self._block(self.drop(state, training=training), visible, training)
        asked, answering = _times(seen, self.asking), _times(seen, self.answering)
        likeness = tf.matmul(asked, answering, transpose_b=True) / self.rule.dimensions**0.5
        shares = tf.nn.softmax(likeness + near + visible)
        pooled = tf.matmul(shares, self.drop(touched, training=training))
        return tf.math.l2_normalize(pooled, -1)

    def _told(self, state: Any, kinds: Any, gaps: Any, ages: Any) -> tuple[Any, Any]:
        """The block's input, and what touch q brings to pooling at p: (n, l, d), (n or 1, l, l)."""
        near = _by_distance(self.pool_distance[None], tf.shape(state)[1])
        if "kinds" in self.tables:
            state += _PACE * tf.gather(self.tables["kinds"], kinds)
            near += _PACE * tf.gather(self.tables["pool_kinds"], kinds)[:, None]
        if "gaps" in self.tables:
            state += _PACE * tf.gather(self.tables["gaps"], gaps)
            near += _PACE * tf.gather(self.tables["pool_ages"], ages)
        return state, near

    def _block(self, state: Any, visible: Any, training: bool) -> Any:
        length, d, heads = tf.shape(state)[1], self.rule.dimensions, self.rule.heads
        parts = _times(_rms_normed(state, self.gains[0]), self.mixed)
        parts = tf.transpose(tf.reshape(parts, (-1, length, 3, heads, d // heads)), (2, 0, 3, 1, 4))
        weights = tf.matmul(parts[0], parts[1], transpose_b=True) / (d // heads) ** 0.5
        weights += _by_distance(self.distance, length) + visible[:, None]
        attended = tf.transpose(tf.matmul(tf.nn.softmax(weights), parts[2]), (0, 2, 1, 3))
        joined = _times(tf.reshape(attended, (-1, length, d)), self.joined)
        state += self.drop(joined, training=training)
        wide = _times(_rms_normed(state, self.gains[1]), self.widened) + self.widened_bias
        narrow = _times(tf.nn.gelu(wide, approximate=True), self.narrowed) + self.narrowed_bias
        return _rms_normed(state + self.drop(narrow, training=training), self.gains[2])

    def assign(self, arrays: EncoderArrays) -> None:
        """From what `arrays` gave of a network by the same rule. Raises ValueError where a shape is
        another."""
        for name in BLOCK:
            getattr(self, "gains" if name == "normed" else name).assign(getattr(arrays, name))
        for name, table in self.tables.items():
            table.assign(getattr(arrays, name) / np.float32(_PACE))

    def arrays(self, items: FloatArray) -> EncoderArrays:
        """Copies of what serving needs, float32, beside `items` (n, d), which get unit
        length."""
        return EncoderArrays(
            items=items / np.linalg.norm(items, axis=1, keepdims=True),
            normed=_copy(self.gains),
            mixed=_copy(self.mixed),
            joined=_copy(self.joined),
            widened=_copy(self.widened),
            widened_bias=_copy(self.widened_bias),
            narrowed=_copy(self.narrowed),
            narrowed_bias=_copy(self.narrowed_bias),
            asking=_copy(self.asking),
            answering=_copy(self.answering),
            distance=_copy(self.distance),
            pool_distance=_copy(self.pool_distance),
            temperature=self.rule.temperature,
            **{name: np.float32(_PACE) * _copy(table) for name, table in self.tables.items()},
        )


def _copy(variable: Any) -> FloatArray:
    return np.array(variable.value.numpy(), dtype=np.float32)


def _times(state: Any, matrix: Any) -> Any:
    """(n, l, d) by (d, e). As one flat product: TensorFlow's gradient of a broadcast one takes
    three times as long as all the rest of a step."""
    flat = tf.matmul(tf.reshape(state, (-1, state.shape[-1])), matrix)
    return tf.reshape(flat, (-1, tf.shape(state)[1], matrix.shape[-1]))


def _rms_normed(state: Any, gain: Any) -> Any:
    return state * tf.math.rsqrt(tf.reduce_mean(state * state, -1, keepdims=True) + EPSILON) * gain


def _by_distance(table: Any, length: int) -> Any:
    """(h, l, l) from (h, t): what stands for a touch so many places before another."""
    back = tf.range(length)[:, None] - tf.range(length)
    return tf.gather(table, tf.maximum(back, 0), axis=1)


def _visible(length: int, lengths: Any) -> Any:
    """(n, l, l): 0 for touches not later and inside the session, else far below."""
    later = tf.where(tf.range(length)[:, None] >= tf.range(length), 0.0, MASKED)
    outside = tf.where(tf.sequence_mask(lengths, length), 0.0, MASKED)
    return later + outside[:, None, :]
