"""The items nearest to the shopper in the model's space."""

from collections.abc import Sequence

import numpy as np

from millstream.domain.lists import Source
from millstream.ranking.candidates.source import Context
from millstream.ranking.shop import Candidate, Shopper

SOURCE = Source.EMBEDDING


def propose(shoppers: Sequence[Shopper], context: Context) -> list[list[Candidate]]:
    taste = context.taste
    proposed: list[list[Candidate]] = [[] for _ in shoppers]
    if taste is None or not taste.known.any():
        return proposed
    places = np.flatnonzero(taste.known)
    rows, logits = taste.model.nearest(taste.vectors[places], context.settings.candidates)
    strengths = standing(logits)
    for place, line, strong in zip(places, rows, strengths, strict=True):
        lead = _newest(shoppers[int(place)])
        proposed[int(place)] = [
            Candidate(taste.model.items[int(row)], SOURCE, float(strength), lead)
            for row, strength in zip(line, strong, strict=True)
        ]
    return proposed


def _newest(shopper: Shopper) -> str | None:
    return shopper.recent[0].item_id if shopper.recent else None


def standing(
    logits: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """(n, k) logits as strengths from 0 to 1: the logistic function over that of the best."""
    best = logits.max(axis=1, keepdims=True)
    return np.asarray((1 + np.exp(-best)) / (1 + np.exp(-logits)), dtype=np.float32)
