"""The items nearest to the shopper in the model's space."""

import numpy as np
from numpy.typing import NDArray

from millstream.domain.lists import Source
from millstream.ranking.batch import Batch
from millstream.ranking.candidates.source import Candidates, Context
from millstream.ranking.items import NOTHING, Codes

SOURCE = Source.EMBEDDING


def propose(batch: Batch, context: Context) -> Candidates:
    taste = context.taste
    if taste is None or not taste.known.any():
        return Candidates.none()
    places = np.flatnonzero(taste.known)
    rows, logits = taste.model.nearest(taste.vectors[places], context.settings.candidates)
    return Candidates(
        np.repeat(places, rows.shape[1]),
        batch.table.of_rows(taste.model.items, rows).ravel(),
        taste.model.weight * standing(logits).ravel().astype(np.float64),
        np.repeat(_newest(batch)[places], rows.shape[1]),
    )


def _newest(batch: Batch) -> Codes:
    """(n,) the item that each shopper touched last."""
    newest = np.full(len(batch), NOTHING, dtype=np.int64)
    first = batch.touches.places == 0
    newest[batch.touches.shoppers[first]] = batch.touches.items[first]
    return newest


def standing(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, k) logits as strengths from 0 to 1: the logistic function over that of the best."""
    best = logits.max(axis=1, keepdims=True)
    return np.asarray((1 + np.exp(-best)) / (1 + np.exp(-logits)), dtype=np.float32)
