"""What everybody touches; the only source that has something for an empty session."""

from __future__ import annotations

import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.ragged import Floats
from millstream.model.sessions.session_log import SessionLog


class Popularity:
    """`shares` (items,): of all touches, late ones weighing more."""

    def __init__(self, shares: Floats) -> None:
        self._shares = shares.astype(np.float32)

    def scores(self, sessions: SessionLog) -> FloatArray:
        return np.tile(self._shares, (len(sessions), 1))
