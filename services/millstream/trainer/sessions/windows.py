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


def windows(log: SessionLog) -> Windows:
    most, step = LENGTHS[-1] + 1, LENGTHS[-1] // 2
    lengths = log.lengths()
    more = np.maximum(0, -(-(lengths - most) // step))
    flat, session = places(np.zeros(len(log), dtype=np.int64), more + 1)
    end = np.minimum(lengths[session], most + flat * step)
    begin = np.maximum(0, end - most)
    fresh = np.where(flat == 0, 1, most + (flat - 1) * step - begin)
    kept = end - begin > 1
    begin, end, session, fresh = begin[kept], end[kept], session[kept], fresh[kept]
    return Windows(log.cut(log.starts[session] + begin, end - begin), fresh)


def batches(cut: Windows, targets: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Every window once, shuffled, some `targets` targets in each batch."""
    bucket = np.searchsorted(LENGTHS, cut.log.lengths() - 1)
    groups = []
    for place in range(len(LENGTHS)):
        members = rng.permutation(np.flatnonzero(bucket == place))
        if len(members):
            mean = float((cut.log.lengths()[members] - cut.first[members]).mean())
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
