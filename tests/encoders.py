"""Encoders whose answers can be told by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.encoder import EncoderArrays
from millstream.model.sessions.told import GAPS, KINDS

TOUCHES = 8


def mean_encoder(items: FloatArray, temperature: float = 0.5) -> EncoderArrays:
    """Its block adds nothing and its attention is even: a session is the unit mean of the last
    TOUCHES items."""
    size = items.shape[1]

    def zeros(*shape: int) -> FloatArray:
        return np.zeros(shape, dtype=np.float32)

    return EncoderArrays(
        items=items,
        normed=zeros(3, size) + 1,
        mixed=zeros(size, 3 * size),
        joined=zeros(size, size),
        widened=zeros(size, 2 * size),
        widened_bias=zeros(2 * size),
        narrowed=zeros(2 * size, size),
        narrowed_bias=zeros(size),
        asking=zeros(size, size),
        answering=zeros(size, size),
        distance=zeros(2, TOUCHES),
        pool_distance=zeros(TOUCHES),
        temperature=temperature,
    )


def told_tables(size: int, draw: Callable[[tuple[int, ...]], NDArray[Any]]) -> dict[str, Any]:
    """What an encoder of so many dimensions learns of its inputs, by name."""
    shapes = {
        "kinds": (KINDS, size),
        "gaps": (GAPS, size),
        "pool_kinds": (KINDS,),
        "pool_ages": (GAPS,),
    }
    return {name: draw(shape).astype(np.float32) for name, shape in shapes.items()}


def unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), dtype=np.float32)
