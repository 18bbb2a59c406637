"""The session encoder forward in numpy: one causal transformer block looks at the last touches,
attention pools their item vectors, and the next item is near the pooled vector.

After CORE (Hou et al., SIGIR 2022): one space for sessions and items, unit length, a temperature;
a session is never anything but a mixture of its items. What else is told of a touch says how much
of each."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.session_log import Padded, SessionLog
from millstream.model.sessions.told import GAPS, UNTOLD, gaps, passed

MASKED = np.float32(-1e9)
EPSILON = 1e-6
_AT_ONCE = 24
"""Sessions whose arrays a CPU's cache holds: in portions of 256, long ones took twice as long."""


@dataclass(frozen=True, slots=True)
class EncoderArrays:
    """d dimensions, h heads, t touches at most; float32 throughout.

    `items` (items, d), unit rows. Block: `normed` (3, d) RMS gains before attention, before the
    feed-forward layer and at the end; `mixed` (d, 3d) queries, keys and values; `joined` (d, d);
    `widened` (d, 2d), `widened_bias` (2d,); `narrowed` (2d, d), `narrowed_bias` (d,). Pooling:
    `asking`, `answering` (d, d). What a touch so many before the current one adds to
    attention: `distance` (h, t) in the block, `pool_distance` (t,) in pooling. What is told of
    a touch (told.py) adds to the block's input, its kind `kinds` (k, d) and the time since the one
    before `gaps` (GAPS, d); and to pooling, its kind `pool_kinds` (k,) and the time until the
    newest `pool_ages` (GAPS,). They are None where this was not learnt; a kind behind the last of
    the k is one that is not known."""

    items: FloatArray
    normed: FloatArray
    mixed: FloatArray
    joined: FloatArray
    widened: FloatArray
    widened_bias: FloatArray
    narrowed: FloatArray
    narrowed_bias: FloatArray
    asking: FloatArray
    answering: FloatArray
    distance: FloatArray
    pool_distance: FloatArray
    temperature: float
    kinds: FloatArray | None = None
    gaps: FloatArray | None = None
    pool_kinds: FloatArray | None = None
    pool_ages: FloatArray | None = None


INPUTS = ("kinds", "gaps", "pool_kinds", "pool_ages")
BLOCK = tuple(
    field.name
    for field in fields(EncoderArrays)
    if field.name not in {"items", "temperature", *INPUTS}
)


def beside_items(arrays: EncoderArrays) -> dict[str, FloatArray]:
    """What is learnt beside the items: BLOCK, and those of the INPUTS that it was taught with."""
    named = {name: getattr(arrays, name) for name in (*BLOCK, *INPUTS)}
    return {name: values for name, values in named.items() if values is not None}


def check_shapes(arrays: EncoderArrays) -> str | None:
    """The name of an array whose shape does not fit the others; None where all fit."""
    d = arrays.items.shape[1]
    if arrays.distance.ndim != 2 or not arrays.distance.size or d % len(arrays.distance):
        return "distance"
    heads, touches = arrays.distance.shape
    expected = {
        "normed": (3, d),
        "mixed": (d, 3 * d),
        "joined": (d, d),
        "widened": (d, 2 * d),
        "widened_bias": (2 * d,),
        "narrowed": (2 * d, d),
        "narrowed_bias": (d,),
        "asking": (d, d),
        "answering": (d, d),
        "distance": (heads, touches),
        "pool_distance": (touches,),
    }
    learnt = beside_items(arrays)
    if not learnt.keys().isdisjoint({"kinds", "pool_kinds"}):
        kinds = max(1, len(learnt.get("kinds", ())))
        expected |= {"kinds": (kinds, d), "pool_kinds": (kinds,)}
    if not learnt.keys().isdisjoint({"gaps", "pool_ages"}):
        expected |= {"gaps": (GAPS, d), "pool_ages": (GAPS,)}
    wrong = (n for n, shape in expected.items() if n not in learnt or learnt[n].shape != shape)
    return next(wrong, None)


class Encoder:
    def __init__(self, arrays: EncoderArrays) -> None:
        self._arrays = arrays
        self._touches = len(arrays.pool_distance)

    def scores(self, sessions: SessionLog) -> FloatArray:
        """The softmax over all items; zeros for an empty session."""
        arrays = self._arrays
        logits = (self.vectors(sessions) @ arrays.items.T) / np.float32(arrays.temperature)
        shares = softmax(logits)
        shares[sessions.lengths() == 0] = 0.0
        return shares

    def vectors(self, sessions: SessionLog) -> FloatArray:
        """(n, d), of unit length; what stands for an empty session is of no meaning."""
        cut = sessions.last(self._touches)
        portions = np.array_split(np.arange(len(cut)), max(1, len(cut) // _AT_ONCE))
        return np.concatenate([self._vectors(cut.take(rows)) for rows in portions])

    def _vectors(self, cut: SessionLog) -> FloatArray:
        lengths = np.maximum(cut.lengths(), 1)
        padded = cut.padded(lengths.max(initial=1))
        touched = self._arrays.items[padded.items]
        state, near = self._told(touched, padded, lengths)
        return self._pooled(touched, self._block(state, lengths), lengths, near)

    def _told(
        self, touched: FloatArray, padded: Padded, lengths: NDArray[np.int64]
    ) -> tuple[FloatArray, FloatArray]:
        """(n, l, d) the block's input; (n, l) what each touch brings to pooling."""
        arrays = self._arrays
        state = touched * np.float32(np.sqrt(touched.shape[2]))
        back = lengths[:, None] - 1 - np.arange(touched.shape[1])
        near = np.where(back >= 0, arrays.pool_distance[np.maximum(back, 0)], MASKED)
        if arrays.kinds is not None and arrays.pool_kinds is not None:
            kinds = np.where(padded.kinds < len(arrays.kinds), padded.kinds, UNTOLD)
            state, near = state + arrays.kinds[kinds], near + arrays.pool_kinds[kinds]
        if arrays.gaps is not None and arrays.pool_ages is not None:
            newest = np.take_along_axis(padded.seconds, lengths[:, None] - 1, axis=1)
            state = state + arrays.gaps[gaps(padded.seconds)]
            near = near + arrays.pool_ages[passed(padded.seconds, newest)]
        return state, near

    def _block(self, state: FloatArray, lengths: NDArray[np.int64]) -> FloatArray:
        """(n, l, d) what each touch knows of those before it."""
        arrays, heads = self._arrays, len(self._arrays.distance)
        n, length, d = state.shape
        mixed = rms_normed(state, arrays.normed[0]) @ arrays.mixed
        parts = mixed.reshape(n, length, 3, heads, d // heads)
        query, key, value = np.moveaxis(parts, (2, 3), (0, 2))
        weights = query @ key.swapaxes(-1, -2) / np.float32(np.sqrt(d // heads))
        weights = softmax(weights + self._visible(lengths, arrays.distance, length))
        attended = np.moveaxis(weights @ value, 1, 2).reshape(n, length, d)
        state = state + attended @ arrays.joined
        wide = gelu(rms_normed(state, arrays.normed[1]) @ arrays.widened + arrays.widened_bias)
        state = state + wide @ arrays.narrowed + arrays.narrowed_bias
        return rms_normed(state, arrays.normed[2])

    def _pooled(
        self, touched: FloatArray, seen: FloatArray, lengths: NDArray[np.int64], near: FloatArray
    ) -> FloatArray:
        arrays, every = self._arrays, np.arange(len(lengths))
        newest = seen[every, lengths - 1]
        asked = np.asarray(newest @ arrays.asking @ arrays.answering.T, dtype=np.float32)
        likeness = (seen @ asked[:, :, None])[:, :, 0]
        likeness /= np.float32(np.sqrt(touched.shape[2]))
        shares = softmax(likeness + near)
        pooled = (shares[:, None, :] @ touched)[:, 0]
        norm = np.sqrt(np.maximum((pooled * pooled).sum(axis=1, keepdims=True), 1e-12))
        return np.asarray(pooled / norm, dtype=np.float32)

    def _visible(self, lengths: NDArray[np.int64], distance: FloatArray, length: int) -> FloatArray:
        """(n, h, l, l): by distance for touches not later and inside the session, else MASKED."""
        back = np.arange(length)[:, None] - np.arange(length)
        near = np.where(back >= 0, distance[:, np.maximum(back, 0)], MASKED)
        inside = np.arange(length) < lengths[:, None]
        return np.where(inside[:, None, None, :], near, MASKED)


def softmax(logits: FloatArray) -> FloatArray:
    """Over the last axis."""
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True), dtype=np.float32)


def rms_normed(state: FloatArray, gain: FloatArray) -> FloatArray:
    mean_square = np.mean(state * state, axis=-1, keepdims=True)
    return np.asarray(state / np.sqrt(mean_square + EPSILON) * gain, dtype=np.float32)


def gelu(values: FloatArray) -> FloatArray:
    """The tanh approximation (Hendrycks and Gimpel, 2016)."""
    # Products: numpy's power of three took two thirds of all that an encoder takes.
    cubes = values * values * values
    inner = np.float32(np.sqrt(2 / np.pi)) * (values + np.float32(0.044715) * cubes)
    return np.asarray(np.float32(0.5) * values * (np.float32(1.0) + np.tanh(inner)))
