"""Coming back to an item of the same session."""

from __future__ import annotations

import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.ragged import Floats
from millstream.model.sessions.session_log import SessionLog, recent


class Repeats:
    """`shares` (d, d): of sessions with n distinct items so far (row n - 1, the last row also for
    more), how many went on with the one that has r newer distinct items (column r)."""

    def __init__(self, shares: Floats, items: int) -> None:
        self._shares, self._items = shares, items

    def scores(self, sessions: SessionLog) -> FloatArray:
        limit = len(self._shares)
        seen = recent(sessions, 4 * limit)
        distinct = np.bincount(seen.session, minlength=len(sessions))[seen.session]
        kept = seen.rank < limit
        out = np.zeros((len(sessions), self._items), dtype=np.float32)
        shares = self._shares[np.minimum(distinct, limit) - 1, np.minimum(seen.rank, limit - 1)]
        out[seen.session[kept], seen.item[kept]] = shares[kept]
        return out
