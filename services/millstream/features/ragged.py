"""Lines of different lengths, one after the other in one array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]


def places_within(counts: Codes) -> Codes:
    """0, 1, 2 … `counts[i]` - 1 for each i, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - counts, counts)
