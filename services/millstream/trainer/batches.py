"""One epoch's training rows: every pair once, and for each some items drawn as no interest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import FloatArray
from millstream.model.vocabulary import Rows
from millstream.trainer.encode import Interactions
from millstream.trainer.settings import Training

# A young shop's few rows in large batches would be too few steps to learn anything: an epoch has at
# least so many, down to the batch of the document.
_LEAST_STEPS = 100
_SMALL_BATCH = 32


class Epoch(NamedTuple):
    """(steps, batch) each; a label is 1 for a pair and 0 for a drawn item."""

    users: Rows
    items: Rows
    labels: FloatArray
    weights: FloatArray


def draw_epoch(data: Interactions, rule: Training, rng: np.random.Generator) -> Epoch:
    """Shuffled; up to batch - 1 rows that do not fill a batch are left out, other ones each time.

    A pair weighs as much as its lines say relative to the mean pair, a drawn item weighs 1. A
    drawn item may happen to be one the user likes: in a large catalogue it seldom is."""
    pairs = len(data.user_rows)
    users = np.tile(data.user_rows, rule.negatives + 1)
    items = np.concatenate([data.item_rows, _drawn(data, rule, rng)])
    labels = np.zeros(len(users), dtype=np.float32)
    labels[:pairs] = 1.0
    weights = np.ones(len(users), dtype=np.float32)
    weights[:pairs] = data.weights / data.weights.mean()
    batch = min(rule.batch_size, max(_SMALL_BATCH, len(users) // _LEAST_STEPS), len(users))
    order = rng.permutation(len(users))[: len(users) // batch * batch].reshape(-1, batch)
    return Epoch(users[order], items[order], labels[order], weights[order])


def _drawn(data: Interactions, rule: Training, rng: np.random.Generator) -> Rows:
    count = len(data.user_rows) * rule.negatives
    if rule.negative_power == 0:
        return rng.integers(len(data.items), size=count, dtype=np.int32)
    chances: NDArray[np.float64] = data.item_weights().astype(np.float64) ** rule.negative_power
    edges = np.cumsum(chances)
    drawn = np.searchsorted(edges, rng.random(count) * edges[-1], side="right")
    return np.asarray(np.minimum(drawn, len(edges) - 1), dtype=np.int32)
