"""What a trained version consists of, in memory, and the vector of what a shopper touched last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from millstream.model.blend import Blend
from millstream.model.vocabulary import Vocabulary

if TYPE_CHECKING:
    from millstream.model.sessions.encoder import EncoderArrays

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ItemIndex:
    """Items in lists, to search a few of them (model/item_index.py). `centres` (lists, d) float32;
    list i is the item rows from `starts[i]` to `starts[i + 1]`, (lists + 1,) int32 from 0 to the
    number of items. `probes`: lists looked into per shopper; `recall`: the share of the exact
    first 20 that this finds, as measured when the index was made."""

    centres: FloatArray
    starts: NDArray[np.int32]
    probes: int
    recall: float


class ServingRule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a shopper's vector is made; it travels with the version, so that what was measured
    after training is what is served."""

    recent_items: Annotated[int, Meta(ge=1, le=1000)]
    """How many of the newest items are looked at."""
    recent_half_life: Annotated[float, Meta(gt=0)]
    """In places of the list: the item this many places back weighs half."""
    recent_share: Annotated[float, Meta(ge=0, le=1)]
    """From 0 to 1: how much of a known shopper's vector comes from the recent items."""
    weight: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """How much of what ranking gives to the model in a list this version is worth."""
    blend: Blend | None = None
    """What all sources are worth beside this version; None: as the settings of ranking say."""


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
    index: ItemIndex | None = None
    """None: every item is looked at."""
    encoder: EncoderArrays | None = None
    """Makes a vector of the recent items in the place of `recent_to_user`; its items are
    `item_vectors`, its temperature one over `dense_weight`."""


def recent_means(
    item_vectors: FloatArray, recent: Sequence[Sequence[int]], rule: ServingRule
) -> FloatArray:
    """(n, d + 1): the mean of each shopper's item rows (newest first), weighted by
    0.5 ** (place / half-life), and a one. A shopper without items gets zeros.

    Training fits `recent_to_user` on these and serving multiplies them with it; both call here."""
    size = item_vectors.shape[1]
    means = np.zeros((len(recent), size + 1), dtype=np.float32)
    newest = [rows[: rule.recent_items] for rows in recent]
    counts = np.fromiter(map(len, newest), dtype=np.int64, count=len(newest))
    touched = np.flatnonzero(counts)
    if len(touched) == 0:
        return means
    firsts = np.cumsum(counts[touched]) - counts[touched]
    rows = np.fromiter(chain.from_iterable(newest), dtype=np.int64)
    places = np.arange(len(rows)) - np.repeat(firsts, counts[touched])
    weights = (0.5 ** (places / rule.recent_half_life)).astype(np.float32)
    sums = np.add.reduceat(item_vectors[rows] * weights[:, None], firsts, axis=0)
    means[touched, :size] = sums / np.add.reduceat(weights, firsts)[:, None]
    means[touched, size] = 1.0
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
