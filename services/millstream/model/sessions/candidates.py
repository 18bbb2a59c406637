"""What the blend sees: the union of each source's best items, and what is known of each of them
and of the session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.ragged import Ints
from millstream.model.sessions.session_log import Recent, SessionLog, recent
from millstream.model.sessions.source import Source
from millstream.model.top_k import top_k

BLOCK = 128
"""Sessions answered at once: some 20 MB a source for a catalogue of 40,000 items."""
POPULARITY, TREND = "popularity", "trend"
"""Sources that say the same to every session: they propose few items, and tell of all."""
_ALIKE_DEPTH = 10
_FLOOR = 1e-6
_TOUCHES = 30
_SPARSE = 20
"""Where fewer than one score in so many is not zero, sorting those is quicker than `top_k`."""
SOURCE_FEATURES = ("share", "gap", "place", "total")
TOUCH_FEATURES = ("in_session", "last", "second_last", "recency", "times")
SESSION_FEATURES = ("length", "distinct", "last_times", "last_share")


@dataclass(frozen=True, slots=True)
class Candidates:
    """(m,) candidates of n sessions, session after session: whose, which item, and (m, f)
    features as `feature_names` has them. Of each source: the logarithm of the item's share of
    all that it gives the session, how far that is below its best item's, 1 / (1 + place) within
    its depth, else 0, and the logarithm of all it gives."""

    session: Ints
    item: Ints
    features: FloatArray


def feature_names(sources: Mapping[str, Source]) -> tuple[str, ...]:
    of_sources = (f"{name} {said}" for name in sources for said in SOURCE_FEATURES)
    return (*of_sources, *TOUCH_FEATURES, *SESSION_FEATURES)


def answers(sources: Mapping[str, Source], sessions: SessionLog) -> dict[str, FloatArray]:
    """(n, items) each. Memory: BLOCK sessions are as many as should be asked about at once."""
    return {name: source.scores(sessions) for name, source in sources.items()}


def candidates(answered: Mapping[str, FloatArray], sessions: SessionLog, depth: int) -> Candidates:
    """The first `depth` of each answer and the session's own items. POPULARITY is answered."""
    width = answered[POPULARITY].shape[1]
    seen = recent(sessions, _TOUCHES)
    first = {name: _first(scores, _depth(name, depth, width)) for name, scores in answered.items()}
    touched = seen.session * width + seen.item
    distinct = np.unique(np.concatenate([touched, *(cells for cells, _ in first.values())]))
    session, item = np.divmod(distinct, width)
    columns: list[NDArray[np.floating]] = []
    for name, scores in answered.items():
        columns += _told_by(scores, session, item)
        columns.insert(-1, _scattered(distinct, *first[name]))
    columns += _touch_features(seen, distinct, width)
    columns += (each[session] for each in _session_features(sessions, seen, answered[POPULARITY]))
    return Candidates(session, item, np.stack(columns, axis=1).astype(np.float32))


def _depth(name: str, depth: int, width: int) -> int:
    return min(_ALIKE_DEPTH if name in (POPULARITY, TREND) else depth, width)


def _first(scores: FloatArray, depth: int) -> tuple[Ints, FloatArray]:
    """Cells row * items + column of the best that have a score, and 1 / (1 + place) of each."""
    width = scores.shape[1]
    cells = np.flatnonzero(scores > 0)
    if len(cells) * _SPARSE > scores.size:
        best = top_k(scores, depth)
        cells = (best + width * np.arange(len(best))[:, None]).ravel()
        cells = cells[scores.ravel()[cells] > 0]
    else:
        cells = cells[np.lexsort((-scores.ravel()[cells], cells // width))]
    row = cells // width
    place = np.arange(len(cells)) - np.searchsorted(row, row)
    kept = place < depth
    return cells[kept], (1.0 / (1.0 + place[kept])).astype(np.float32)


def _told_by(scores: FloatArray, session: Ints, item: Ints) -> list[FloatArray]:
    """Share, gap and total."""
    total = np.maximum(scores.sum(axis=1), 1e-9)
    share = np.log(scores[session, item] / total[session] + _FLOOR)
    best = np.log(scores.max(axis=1) / total + _FLOOR)
    return [share, share - best[session], np.log(total)[session]]


def _scattered(distinct: Ints, cells: Ints, values: NDArray[np.generic]) -> FloatArray:
    column = np.zeros(len(distinct), dtype=np.float32)
    column[np.searchsorted(distinct, cells)] = values
    return column


def _touch_features(seen: Recent, distinct: Ints, width: int) -> Iterator[FloatArray]:
    """In the order of TOUCH_FEATURES."""
    cells = seen.session * width + seen.item
    for values in (
        np.ones(len(cells)),
        seen.rank == 0,
        seen.rank == 1,
        1.0 / (1.0 + seen.rank),
        np.log1p(seen.count),
    ):
        yield _scattered(distinct, cells, values)


def _session_features(
    sessions: SessionLog, seen: Recent, popular: FloatArray
) -> tuple[NDArray[np.floating], ...]:
    """(n,) each, in the order of SESSION_FEATURES."""
    distinct = np.bincount(seen.session, minlength=len(sessions))
    last_times, last_share = np.zeros(len(sessions)), np.zeros(len(sessions))
    last = seen.rank == 0
    last_times[seen.session[last]] = np.log1p(seen.count[last])
    last_share[seen.session[last]] = np.log(popular[seen.session[last], seen.item[last]] + _FLOOR)
    return np.log1p(sessions.lengths()), np.log1p(distinct), last_times, last_share
