"""What the blend sees: the union of each source's best items, and what the sources say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.ragged import Ints
from millstream.model.sessions.session_log import Recent, SessionLog, recent
from millstream.model.sessions.source import Source
from millstream.model.top_k import top_k

BLOCK = 128
"""Sessions answered at once: some 20 MB a source for a catalogue of 40,000 items."""
_FLOOR = 1e-6
_TOUCHES = 30
TOUCH_FEATURES = ("in_session", "last", "second_last", "recency", "times")


@dataclass(frozen=True, slots=True)
class Candidates:
    """(m,) candidates of n sessions, session after session: whose, which item, and (m, f)
    features: the logarithm of each source's share, then TOUCH_FEATURES. `lengths` (n,)."""

    session: Ints
    item: Ints
    features: FloatArray
    lengths: Ints


def feature_names(sources: Mapping[str, Source]) -> tuple[str, ...]:
    return (*sources, *TOUCH_FEATURES)


def answers(sources: Mapping[str, Source], sessions: SessionLog) -> dict[str, FloatArray]:
    """(n, items) each. Memory: BLOCK sessions are as many as should be asked about at once."""
    return {name: source.scores(sessions) for name, source in sources.items()}


def candidates(answered: Mapping[str, FloatArray], sessions: SessionLog, depth: int) -> Candidates:
    """The first `depth` of each answer and the session's own items."""
    width = next(iter(answered.values())).shape[1]
    seen = recent(sessions, _TOUCHES)
    cells = [seen.session * width + seen.item]
    for scores in answered.values():
        best = top_k(scores, min(depth, width))
        rows = np.repeat(np.arange(len(best)), best.shape[1])
        positive = scores[rows, best.ravel()] > 0
        cells.append((rows * width + best.ravel())[positive])
    distinct = np.unique(np.concatenate(cells))
    session, item = np.divmod(distinct, width)
    shares = [_log_share(scores, session, item) for scores in answered.values()]
    touches = _touch_features(seen, distinct, width)
    features = np.stack([*shares, *touches], axis=1).astype(np.float32)
    return Candidates(session, item, features, sessions.lengths())


def _log_share(scores: FloatArray, session: Ints, item: Ints) -> FloatArray:
    total = np.maximum(scores.sum(axis=1), 1e-9)
    return np.asarray(np.log(scores[session, item] / total[session] + _FLOOR), dtype=np.float32)


def _touch_features(seen: Recent, distinct: Ints, width: int) -> Iterator[FloatArray]:
    """In the order of TOUCH_FEATURES."""
    at = np.searchsorted(distinct, seen.session * width + seen.item)
    for values in (
        np.ones(len(at)),
        seen.rank == 0,
        seen.rank == 1,
        1.0 / (1.0 + seen.rank),
        np.log1p(seen.count),
    ):
        column = np.zeros(len(distinct), dtype=np.float32)
        column[at] = values
        yield column
