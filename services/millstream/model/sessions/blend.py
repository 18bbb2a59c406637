"""The blend: a small network over what is known of each candidate and of its session."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.candidates import Candidates


@dataclass(frozen=True, slots=True)
class BlendNetwork:
    """`features` (f,) names, scaled to (x - centre) / spread, both (f,). Layer i is weights
    (f or h, h or 1) and biases; between them what is below zero is cut off. `direct` (f, 1) goes
    by them."""

    features: tuple[str, ...]
    centre: FloatArray
    spread: FloatArray
    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    direct: FloatArray


def blend(found: Candidates, network: BlendNetwork) -> FloatArray:
    """(m,): the greater, the likelier; to be compared within one session."""
    scaled = (found.features - network.centre) / network.spread
    state = scaled
    for weights, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        state = np.maximum(state @ weights + bias, 0.0)
    last = state @ network.weights[-1] + network.biases[-1] + scaled @ network.direct
    return np.asarray(last[:, 0], dtype=np.float32)
