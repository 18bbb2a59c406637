"""Sessions as flat arrays: what the sources are built on and what they are asked about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millstream.model.sessions.ragged import Ints, heads, places


@dataclass(frozen=True, slots=True)
class SessionLog:
    """`items` (touches,) rows of the catalogue, session after session, oldest touch first;
    `starts` (sessions + 1,): session s is items[starts[s]:starts[s + 1]]. Later sessions stand
    behind earlier ones where the order of time is known."""

    items: Ints
    starts: Ints

    def __len__(self) -> int:
        return len(self.starts) - 1

    def lengths(self) -> Ints:
        return np.diff(self.starts)

    def owners(self) -> Ints:
        """(touches,) the session of each touch."""
        return np.repeat(np.arange(len(self)), self.lengths())

    def take(self, sessions: NDArray[np.int64]) -> SessionLog:
        lengths = self.lengths()[sessions]
        flat, _ = places(self.starts[sessions], lengths)
        return SessionLog(self.items[flat], offsets(lengths))

    def blocks(self, size: int) -> Iterator[SessionLog]:
        """`size` sessions at a time: what bounds the memory of a source's answer."""
        for first in range(0, len(self), size):
            yield self.take(np.arange(first, min(first + size, len(self))))

    def last(self, count: int) -> SessionLog:
        """The same sessions, each cut to its last `count` touches."""
        kept = np.minimum(self.lengths(), count)
        flat, _ = places(self.starts[1:] - kept, kept)
        return SessionLog(self.items[flat], offsets(kept))


@dataclass(frozen=True, slots=True)
class Recent:
    """The distinct items of each session, its newest first: (m,) each.

    `age`: touches since (0 = the last one); `rank`: how many distinct items are newer; `count`:
    how often it stands in the session."""

    session: Ints
    item: Ints
    age: Ints
    rank: Ints
    count: Ints


def session_log(sessions: Sequence[Sequence[int]]) -> SessionLog:
    lengths = np.array([len(session) for session in sessions], dtype=np.int64)
    flat = [item for session in sessions for item in session]
    return SessionLog(np.array(flat, dtype=np.int64), offsets(lengths))


def offsets(lengths: Ints) -> Ints:
    """(n + 1,) where n lists of such lengths begin, and the end."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def recent(log: SessionLog, touches: int) -> Recent:
    """Of the last `touches` of each session."""
    cut = log.last(touches)
    session = cut.owners()
    age = cut.starts[1:][session] - 1 - np.arange(len(cut.items))
    order = np.lexsort((age, cut.items, session))
    first = heads(session[order] * (cut.items.max(initial=0) + 1) + cut.items[order])
    count = np.diff(np.append(first, len(order)))
    newest = order[first]
    by_age = np.lexsort((age[newest], session[newest]))
    newest, count = newest[by_age], count[by_age]
    owner = session[newest]
    rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
    return Recent(owner, cut.items[newest], age[newest], rank, count)
