"""What every source of the blend answers."""

from __future__ import annotations

from typing import Protocol

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.session_log import SessionLog


class Source(Protocol):
    """Pure reading of arrays, which may be memory-mapped; safe to share between threads."""

    def scores(self, sessions: SessionLog) -> FloatArray:
        """(n, items), not negative: the greater, the likelier the session's next item. What one
        session is answered does not depend on the others beside it. An empty session is answered
        with zeros, unless the source needs none."""
        ...
