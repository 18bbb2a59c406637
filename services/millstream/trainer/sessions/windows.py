"""Sessions cut and padded for training, short ones with short ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from millstream.model.sessions.ragged import Ints, places
from millstream.model.sessions.session_log import SessionLog

LENGTHS = (2, 4, 8, 16, 32)
"""Padded lengths; the last one is the most that the encoder looks at."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`touched` (n, l) rows, padded with 0 behind; `lengths` (n,); of all n * l places flat,
    `asked` (m,) are those whose next item is known and wanted: `targets` (m,). `kinds`, `seconds`
    (n, l): of what is touched, as Padded has them."""

    touched: Ints
    lengths: Ints
    asked: Ints
    targets: Ints
    kinds: Ints
    seconds: Ints


@dataclass(frozen=True, slots=True)
class Windows:
    """`log` (w sessions): parts of sessions with at most LENGTHS[-1] + 1 touches, overlapping by
    half; in each, the touches from place `first` (w,) on are targets, so that each is one once."""

    log: SessionLog
    first: Ints

    def targets(self) -> Ints:
        """(w,)"""
        return self.log.lengths() - self.first


def windows(log: SessionLog) -> Windows:
    return _cut(log, *_bounds(log))


def newest(log: SessionLog, fresh: Ints, again: float, rng: np.random.Generator) -> Windows:
    """Those with any of the newest `fresh` (sessions,) touches among their targets, and no other
    targets; and of `windows(log)` so many that they have some `again` times as many."""
    session, begin, end, first = _bounds(log)
    of_fresh = np.maximum(first, (log.lengths() - fresh)[session] - begin)
    chosen = np.flatnonzero(of_fresh < end - begin)
    wanted = again * float((end - begin - of_fresh)[chosen].sum())
    others = rng.permutation(len(session))
    others = others[: np.searchsorted(np.cumsum((end - begin - first)[others]), wanted)]
    first = np.concatenate([of_fresh[chosen], first[others]])
    of = np.concatenate([chosen, others])
    return _cut(log, session[of], begin[of], end[of], first)


def _bounds(log: SessionLog) -> tuple[Ints, Ints, Ints, Ints]:
    """(w,) each: session, first touch and the one behind the last, in it; and Windows.first."""
    most, step = LENGTHS[-1] + 1, LENGTHS[-1] // 2
    lengths = log.lengths()
    more = np.maximum(0, -(-(lengths - most) // step))
    flat, session = places(np.zeros(len(log), dtype=np.int64), more + 1)
    end = np.minimum(lengths[session], most + flat * step)
    begin = np.maximum(0, end - most)
    first = np.where(flat == 0, 1, most + (flat - 1) * step - begin)
    kept = end - begin > 1
    return session[kept], begin[kept], end[kept], first[kept]


def _cut(log: SessionLog, session: Ints, begin: Ints, end: Ints, first: Ints) -> Windows:
    return Windows(log.cut(log.starts[session] + begin, end - begin), first)


def batches(cut: Windows, targets: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Every window once, shuffled, some `targets` targets in each batch."""
    bucket = np.searchsorted(LENGTHS, cut.log.lengths() - 1)
    groups = []
    for place in range(len(LENGTHS)):
        members = rng.permutation(np.flatnonzero(bucket == place))
        if len(members):
            mean = float(cut.targets()[members].mean())
            size = max(1, round(targets / mean))
            groups += [(place, members[at : at + size]) for at in range(0, len(members), size)]
    for at in rng.permutation(len(groups)):
        place, members = groups[at]
        yield _batch(cut, members, LENGTHS[place])


def _batch(cut: Windows, members: Ints, length: int) -> Batch:
    log = cut.log.take(members)
    place = np.arange(len(log.items)) - log.starts[log.owners()]
    wanted = place >= cut.first[members][log.owners()]
    asked = log.owners()[wanted] * length + place[wanted] - 1
    lengths = log.lengths() - 1
    touched = log.cut(log.starts[:-1], lengths).padded(length)
    return Batch(touched.items, lengths, asked, log.items[wanted], touched.kinds, touched.seconds)
