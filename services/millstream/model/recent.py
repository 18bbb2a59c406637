"""What the items that a shopper touched last say, in the space of a version."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import Embeddings, FloatArray, recent_means
from millstream.model.sessions.encoder import Encoder
from millstream.model.sessions.session_log import session_log


def recent_vectors(
    parts: Embeddings, recent: Sequence[Sequence[int]]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """(n, d) vectors and (n,) whether there was any item; without one the vector is zero.
    `recent`: item rows, newest first, of which the version's rule says how many are looked at."""
    if parts.encoder is None:
        means = recent_means(parts.item_vectors, recent, parts.rule)
        return (means @ parts.recent_to_user).astype(np.float32), means[:, -1] > 0
    sessions = session_log([rows[: parts.rule.recent_items][::-1] for rows in recent])
    vectors, touched = Encoder(parts.encoder).vectors(sessions), sessions.lengths() > 0
    vectors[~touched] = 0.0
    return vectors, touched
