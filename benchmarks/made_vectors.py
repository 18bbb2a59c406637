"""Clustered item and shopper vectors, as a trained model's are: departments, shelves in them, items
on the shelves, and shoppers who touched items of a few shelves.

Not random ones, whose nearest neighbours are no nearer than others and which no index can serve;
but not tight either: an item lies as far from its shelf's middle as a shelf from its department's.
Variance falls along the dimensions as 1/i, and lengths differ (popular items are longer), so inner
product and cosine do not agree."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import Embeddings, FloatArray, ServingRule, recent_means
from millstream.model.scorer import Scorer
from millstream.model.sessions.encoder import EncoderArrays
from millstream.model.vocabulary import Rows, Vocabulary

DEPARTMENTS = 40
SHELF_ITEMS = 200
MOST_TOUCHED = 24
FEW = 32
RULE = ServingRule(recent_items=MOST_TOUCHED, recent_half_life=10.0, recent_share=0.5)
_TEMPERATURE = 0.07
_DEPARTMENT, _SHELF, _ITEM, _SHOPPER = 0.8, 0.8, 0.5, 0.1


class Made(NamedTuple):
    """A version whose shoppers are the mean of what they touched, and (n, d) vectors of other
    shoppers, made alike, to ask it with."""

    parts: Embeddings
    asking: FloatArray


def make(items: int, dimensions: int, shoppers: int, seed: int) -> Made:
    """`shoppers` in the version and as many beside it. The same arguments make the same."""
    rng = np.random.default_rng(seed)
    spectrum = np.sqrt(1.0 / np.arange(1, dimensions + 1)).astype(np.float32)

    def drawn(rows: int, spread: float) -> FloatArray:
        found = rng.standard_normal((rows, dimensions), dtype=np.float32)
        found *= spectrum * np.float32(spread)
        return found

    shelves = max(DEPARTMENTS, items // SHELF_ITEMS)
    middles = drawn(DEPARTMENTS, _DEPARTMENT)[rng.integers(DEPARTMENTS, size=shelves)]
    middles += drawn(shelves, _SHELF)
    share = rng.lognormal(0.0, 0.7, shelves)
    shelf_of = rng.choice(shelves, items, p=share / share.sum())
    vectors = drawn(items, _ITEM)
    vectors += middles[shelf_of]
    vectors *= rng.lognormal(0.0, 0.15, items).astype(np.float32)[:, None]
    asked = _shoppers(vectors, shelf_of, 2 * shoppers, rng) + drawn(2 * shoppers, _SHOPPER)
    parts = Embeddings(
        users=Vocabulary(f"shopper-{row}" for row in range(shoppers)),
        items=Vocabulary(f"item-{row}" for row in range(items)),
        user_vectors=asked[:shoppers],
        item_vectors=vectors,
        recent_to_user=np.eye(dimensions + 1, dimensions, dtype=np.float32),
        dense_weight=1.5,
        dense_bias=-0.5,
        rule=RULE,
    )
    return Made(parts, asked[shoppers:])


def with_encoder(parts: Embeddings, seed: int) -> Embeddings:
    """The same version as if a session encoder had made it: unit vectors, and a block of the shapes
    that a trainer makes, its weights drawn, so that a list costs what one by a trained encoder
    does."""
    rng, d = np.random.default_rng(seed), parts.item_vectors.shape[1]

    def drawn(*shape: int) -> FloatArray:
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(shape[0] ** -0.5)

    items = _unit(parts.item_vectors)
    encoder = EncoderArrays(
        items=items,
        normed=np.ones((3, d), dtype=np.float32),
        mixed=drawn(d, 3 * d),
        joined=drawn(d, d),
        widened=drawn(d, 2 * d),
        widened_bias=np.zeros(2 * d, dtype=np.float32),
        narrowed=drawn(2 * d, d),
        narrowed_bias=np.zeros(d, dtype=np.float32),
        asking=drawn(d, d),
        answering=drawn(d, d),
        distance=np.zeros((2, 32), dtype=np.float32),
        pool_distance=-0.5 * np.arange(32, dtype=np.float32),
        temperature=_TEMPERATURE,
    )
    return replace(
        parts,
        user_vectors=_unit(parts.user_vectors),
        item_vectors=items,
        dense_weight=1 / _TEMPERATURE,
        encoder=encoder,
    )


def _unit(vectors: FloatArray) -> FloatArray:
    lengths: FloatArray = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / lengths


def nearest_to_few(scorer: Scorer, asking: FloatArray, k: int) -> Rows:
    """(n, k), FEW shoppers at a time: many at once may be served exactly, past the index."""
    few = (asking[start : start + FEW] for start in range(0, len(asking), FEW))
    return np.concatenate([scorer.nearest(vectors, k)[0] for vectors in few])


def _shoppers(
    vectors: FloatArray, shelf_of: NDArray[np.int64], count: int, rng: np.random.Generator
) -> FloatArray:
    """(count, d) means of 1 to 24 items that stand on 1 to 3 shelves."""
    order = np.argsort(shelf_of, kind="stable")
    ordered = shelf_of[order]
    recent = []
    for _ in range(count):
        shelves = shelf_of[rng.integers(len(vectors), size=rng.integers(1, 4))]
        chosen = rng.choice(shelves, size=rng.integers(1, MOST_TOUCHED + 1))
        first, last = np.searchsorted(ordered, chosen), np.searchsorted(ordered, chosen, "right")
        recent.append(order[rng.integers(first, last)].tolist())
    return recent_means(vectors, recent, RULE)[:, :-1]
