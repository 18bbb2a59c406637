"""What a trained version consists of, in memory, and the vector of what a shopper touched last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from millstream.model.vocabulary import Vocabulary

FloatArray = NDArray[np.float32]


class ServingRule(Struct, frozen=True, forbid_unknown_fields=True):
    """How a shopper's vector is made; it travels with the version, so that what was measured
    after training is what is served."""

    recent_items: Annotated[int, Meta(ge=1, le=1000)]
    """How many of the newest items are looked at."""
    recent_half_life: Annotated[float, Meta(gt=0)]
    """In places of the list: the item this many places back weighs half."""
    recent_share: Annotated[float, Meta(ge=0, le=1)]
    """From 0 to 1: how much of a known shopper's vector comes from the recent items."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """`user_vectors` (n_users, d), `item_vectors` (n_items, d), `recent_to_user` (d + 1, d),
    all float32. Probability of interest = sigmoid(dense_weight * user . item + dense_bias)."""

    users: Vocabulary
    items: Vocabulary
    user_vectors: FloatArray
    item_vectors: FloatArray
    recent_to_user: FloatArray
    dense_weight: float
    dense_bias: float
    rule: ServingRule


def recent_means(
    item_vectors: FloatArray, recent: Sequence[Sequence[int]], rule: ServingRule
) -> FloatArray:
    """(n, d + 1): the mean of each shopper's item rows (newest first), weighted by
    0.5 ** (place / half-life), and a one. A shopper without items gets zeros.

    Training fits `recent_to_user` on these and serving multiplies them with it; both call here."""
    size = item_vectors.shape[1]
    means = np.zeros((len(recent), size + 1), dtype=np.float32)
    decay = 0.5 ** (np.arange(rule.recent_items) / rule.recent_half_life)
    for place, rows in enumerate(recent):
        if rows:
            newest = np.asarray(rows[: rule.recent_items], dtype=np.int64)
            weights = decay[: len(newest)].astype(np.float32)
            means[place, :size] = weights @ item_vectors[newest] / weights.sum()
            means[place, size] = 1.0
    return means


def fit_recent_to_user(means: FloatArray, user_vectors: FloatArray, ridge: float) -> FloatArray:
    """(d + 1, d): the linear map under which the means come closest to the trained vectors.

    Ridge regression in closed form; `ridge` is relative to the mean square of an input. An item
    vector and a user vector are not the same thing (nor of one length, and with a negative Dense
    weight they even point apart), which is why a plain mean of items is a poor shopper."""
    inputs = means.astype(np.float64)
    gram = inputs.T @ inputs
    # Never singular: also where every mean is zero.
    strength = ridge * float(np.trace(gram)) / len(gram) + 1e-6
    solved = np.linalg.solve(
        gram + strength * np.eye(len(gram)), inputs.T @ user_vectors.astype(np.float64)
    )
    return np.ascontiguousarray(solved, dtype=np.float32)
