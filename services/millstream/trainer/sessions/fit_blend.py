"""Fits the blend on sessions that no source has seen: cross-entropy over each one's candidates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.blend import BlendNetwork
from millstream.model.sessions.candidates import (
    BLOCK,
    Candidates,
    answers,
    candidates,
)
from millstream.model.sessions.ragged import Ints, places
from millstream.model.sessions.source import Source
from millstream.trainer.sessions.data import Questions


@dataclass(frozen=True, slots=True)
class BlendRule:
    """`depth`: candidates from each source. `hidden`: the widths of the layers."""

    depth: int = 50
    hidden: tuple[int, ...] = (96, 48)
    epochs: int = 16
    sessions: int = 128
    rate: float = 3e-3
    weight_decay: float = 1e-3
    dropout: float = 0.1


@dataclass(frozen=True, slots=True)
class Gathered:
    """(m,) candidates of the n sessions whose target is among them: `wanted` tells the targets;
    `starts` (n + 1,) where each session's begin."""

    features: FloatArray
    wanted: FloatArray
    starts: Ints


def gather(sources: Mapping[str, Source], asked: Questions, depth: int) -> Gathered:
    """Raises ValueError where no session's target is among the candidates."""
    features, wanted, counts = [], [], []
    for first, block in enumerate(asked.sessions.blocks(BLOCK)):
        found = candidates(answers(sources, block), block, depth)
        targets = asked.targets[first * BLOCK : first * BLOCK + len(block)]
        told = _told(found, targets)
        features.append(told.features)
        wanted.append(told.wanted)
        counts.append(np.diff(told.starts))
    starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    if starts[-1] == 0:
        raise ValueError("no source finds a single target of the held-out sessions")
    return Gathered(np.concatenate(features), np.concatenate(wanted), starts.astype(np.int64))


def _told(found: Candidates, targets: Ints) -> Gathered:
    wanted = found.item == targets[found.session]
    hit = np.zeros(len(targets), dtype=bool)
    hit[found.session[wanted]] = True
    kept = hit[found.session]
    counts = np.bincount(found.session, minlength=len(targets))[hit]
    starts = np.concatenate([[0], np.cumsum(counts)])
    return Gathered(found.features[kept], wanted[kept].astype(np.float32), starts)


def fit_blend(names: tuple[str, ...], told: Gathered, rule: BlendRule, seed: int) -> BlendNetwork:
    """`names`: of the features. Blocks for some tens of seconds."""
    centre, spread = told.features.mean(axis=0), told.features.std(axis=0)
    spread = np.where(spread < 1e-4, 1.0, spread).astype(np.float32)
    fitting = _Fitting(len(names), rule, seed)
    rng = np.random.default_rng(seed)
    steps = rule.epochs * -(-(len(told.starts) - 1) // rule.sessions)
    for step, (rows, owners) in enumerate(_portions(told, rule, rng)):
        scaled = (told.features[rows] - centre) / spread
        rate = rule.rate * (0.01 + 0.99 * (1.0 - step / steps))
        fitting.step(scaled, owners, told.wanted[rows], rate)
    weights, biases, direct = fitting.arrays()
    return BlendNetwork(names, centre, spread, weights, biases, direct)


def _portions(
    told: Gathered, rule: BlendRule, rng: np.random.Generator
) -> Iterator[tuple[Ints, Ints]]:
    """Rows of the candidates of some sessions, and whose they are, counted from 0."""
    sizes, n = np.diff(told.starts), len(told.starts) - 1
    for _ in range(rule.epochs):
        order = rng.permutation(n)
        for first in range(0, n, rule.sessions):
            drawn = order[first : first + rule.sessions]
            yield places(told.starts[drawn], sizes[drawn])


class _Fitting:
    def __init__(self, features: int, rule: BlendRule, seed: int) -> None:
        keras.utils.set_random_seed(seed)
        given = keras.Input((features,))
        state = given
        for width in rule.hidden:
            state = keras.layers.Dense(width, activation="relu")(state)
            state = keras.layers.Dropout(rule.dropout)(state)
        last = keras.layers.Dense(1, kernel_initializer="zeros", name="last")(state)
        direct = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="direct")
        self._network = keras.Model(given, last + direct(given))
        self._optimizer = keras.optimizers.AdamW(rule.rate, weight_decay=rule.weight_decay)
        self._optimizer.build(self._network.trainable_variables)
        self._compiled = self._compile(features)

    def step(self, scaled: FloatArray, owners: Ints, wanted: FloatArray, rate: float) -> None:
        self._optimizer.learning_rate.assign(rate)
        self._compiled(scaled.astype(np.float32), owners.astype(np.int32), wanted)

    def arrays(self) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...], FloatArray]:
        layers = [layer for layer in self._network.layers if isinstance(layer, keras.layers.Dense)]
        pairs = [layer.get_weights() for layer in layers if layer.name != "direct"]
        (direct,) = self._network.get_layer("direct").get_weights()
        return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs), direct

    def _compile(self, features: int) -> Any:
        given = [tf.TensorSpec((None, features)), tf.TensorSpec((None,), tf.int32)]

        @tf.function(input_signature=[*given, tf.TensorSpec((None,))])  # type: ignore[untyped-decorator, unused-ignore]
        def step(scaled: Any, owners: Any, wanted: Any) -> None:
            variables = self._network.trainable_variables
            with tf.GradientTape() as tape:
                scores = self._network(scaled, training=True)[:, 0]
                best = tf.stop_gradient(tf.gather(tf.math.segment_max(scores, owners), owners))
                sums = tf.math.segment_sum(tf.exp(scores - best), owners)
                logs = scores - best - tf.gather(tf.math.log(sums), owners)
                loss = -tf.reduce_sum(logs * wanted) / tf.reduce_sum(wanted)
            self._optimizer.apply(tape.gradient(loss, variables), variables)

        return step
