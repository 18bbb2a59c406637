"""What is merely counted: how often sessions come back to an item, and what is touched at all."""

from __future__ import annotations

import numpy as np

from millstream.model.sessions.ragged import Floats
from millstream.model.sessions.session_log import SessionLog, recent
from millstream.trainer.sessions.data import Questions
from millstream.trainer.sessions.item_pairs import session_weights

_DISTINCT = 20


def repeat_shares(asked: Questions, limit: int = _DISTINCT) -> Floats:
    """The table of model.sessions.repeats.Repeats, from sessions whose next item is known; one
    question of each cell counts as not a repeat, so that rare cells stay low."""
    seen = recent(asked.sessions, 4 * limit)
    distinct = np.bincount(seen.session, minlength=len(asked))
    bucket = np.clip(distinct, 1, limit) - 1
    back = (seen.item == asked.targets[seen.session]) & (seen.rank < limit)
    hits = np.zeros((limit, limit))
    np.add.at(hits, (bucket[seen.session[back]], seen.rank[back]), 1.0)
    asked_of = np.bincount(bucket, minlength=limit)[:, None]
    return np.asarray(hits / (asked_of + 1.0), dtype=np.float64)


def popularity_shares(log: SessionLog, items: int, recency_scale: float) -> Floats:
    """Every item counts one touch more than it has."""
    weight = session_weights(log, recency_scale)[log.owners()]
    counts = np.bincount(log.items, weight, minlength=items) + 1.0
    return np.asarray(counts / counts.sum(), dtype=np.float64)
