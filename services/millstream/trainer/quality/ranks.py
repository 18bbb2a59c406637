"""At which place the wanted items stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import FloatArray

NOWHERE = np.iinfo(np.int64).max
"""The rank of an item that is not in the list, or that the model does not know."""

Ranks = NDArray[np.int64]


def score_ranks(scores: FloatArray, wanted_rows: Sequence[int], wanted: int) -> Ranks:
    """(wanted,): 0 for the best place among all (n_items,) scores. Ties count against us: every
    other item with an equal score stands in front. A score that is not a number stands last.
    The `wanted - len(wanted_rows)` items without a row stand NOWHERE."""
    ranks = np.full(wanted, NOWHERE, dtype=np.int64)
    own = scores[np.asarray(wanted_rows, dtype=np.int64)]
    ahead = (scores[None, :] >= own[:, None]).sum(axis=1) - 1
    ranks[: len(own)] = np.where(np.isnan(own), NOWHERE, ahead)
    return ranks


def list_ranks(ranked: Sequence[str], wanted: Collection[str]) -> Ranks:
    """(wanted,): each wanted item's first place in a list of ids."""
    places: dict[str, int] = {}
    for place, item in enumerate(ranked):
        places.setdefault(item, place)
    return np.array([places.get(item, NOWHERE) for item in sorted(wanted)], dtype=np.int64)
