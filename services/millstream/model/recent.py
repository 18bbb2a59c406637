"""What the items that a shopper touched last say, in the space of a version."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from millstream.features.recent_items import Touch
from millstream.model.embeddings import Embeddings, FloatArray, recent_means
from millstream.model.sessions.encoder import Encoder
from millstream.model.sessions.session_log import SessionLog, offsets
from millstream.model.sessions.told import KIND, NEVER, UNTOLD, Told

Recent = str | Touch
"""An item's id alone is a touch of which neither kind nor time is known."""


def recent_vectors(
    parts: Embeddings, recent: Sequence[Sequence[Recent]]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """(n, d) vectors and (n,) whether there was any item that the version knows; without one the
    vector is zero. `recent`: newest first, of which the version's rule says how many are looked
    at."""
    if parts.encoder is None:
        rows = [parts.items.known_rows(map(_item, touches)) for touches in recent]
        means = recent_means(parts.item_vectors, rows, parts.rule)
        return (means @ parts.recent_to_user).astype(np.float32), means[:, -1] > 0
    sessions = _sessions(parts, recent)
    vectors, touched = Encoder(parts.encoder).vectors(sessions), sessions.lengths() > 0
    vectors[~touched] = 0.0
    return vectors, touched


def _sessions(parts: Embeddings, recent: Sequence[Sequence[Recent]]) -> SessionLog:
    """Oldest touch first."""
    most, items = parts.rule.recent_items, parts.items
    known = [[t for t in touches if _item(t) in items][:most][::-1] for touches in recent]
    flat = list(chain.from_iterable(known))
    told = Told(
        np.array([_kind(t) for t in flat], dtype=np.int64),
        np.array([_second(t) for t in flat], dtype=np.int64),
    )
    rows = items.rows(map(_item, flat)).astype(np.int64)
    return SessionLog(rows, offsets(np.array([*map(len, known)], dtype=np.int64)), told)


def _item(recent: Recent) -> str:
    return recent if isinstance(recent, str) else recent.item_id


def _kind(recent: Recent) -> int:
    return UNTOLD if isinstance(recent, str) else KIND.get(recent.type, UNTOLD)


def _second(recent: Recent) -> int:
    return NEVER if isinstance(recent, str) else recent.time_ms // 1000
