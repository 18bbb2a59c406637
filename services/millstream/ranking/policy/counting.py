"""How many of a kind stand before an item in its list."""

from __future__ import annotations

import numpy as np

from millstream.features.ragged import places_within
from millstream.ranking.items import Codes, Mask


def place_in_group(groups: Codes, counted: Mask) -> Codes:
    """(n, w): how many counted items of the same group stand before each counted item of its
    line; 0 for what is not counted. `groups` (n, w), not negative where counted."""
    places = np.zeros(groups.shape, dtype=np.int64)
    lines, columns = np.nonzero(counted)
    keys = lines * (int(groups.max(initial=0)) + 1) + groups[lines, columns]
    order = np.argsort(keys, kind="stable")
    _, counts = np.unique(keys[order], return_counts=True)
    places[lines[order], columns[order]] = places_within(counts)
    return places
