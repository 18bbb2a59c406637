"""Sessions as flat arrays: what the sources are built on and what they are asked about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.model.sessions.ragged import Ints, heads, places
from millstream.model.sessions.told import NEVER, UNTOLD, Told, untold


@dataclass(frozen=True, slots=True)
class SessionLog:
    """`items` (touches,) rows of the catalogue, session after session, oldest touch first;
    `starts` (sessions + 1,): session s is items[starts[s]:starts[s + 1]]. Later sessions stand
    behind earlier ones where the order of time is known. `told`: of the same touches; None where
    the items are all that is known."""

    items: Ints
    starts: Ints
    told: Told | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    def lengths(self) -> Ints:
        return np.diff(self.starts)

    def owners(self) -> Ints:
        """(touches,) the session of each touch."""
        return np.repeat(np.arange(len(self)), self.lengths())

    def cut(self, begins: Ints, lengths: Ints) -> SessionLog:
        """Sessions of so many touches, which begin at these places of all touches."""
        flat, _ = places(begins, lengths)
        told = None if self.told is None else self.told.at(flat)
        return SessionLog(self.items[flat], offsets(lengths), told)

    def take(self, sessions: NDArray[np.int64]) -> SessionLog:
        return self.cut(self.starts[sessions], self.lengths()[sessions])

    def blocks(self, size: int) -> Iterator[SessionLog]:
        """`size` sessions at a time: what bounds the memory of a source's answer."""
        for first in range(0, len(self), size):
            yield self.take(np.arange(first, min(first + size, len(self))))

    def last(self, count: int) -> SessionLog:
        """The same sessions, each cut to its last `count` touches."""
        kept = np.minimum(self.lengths(), count)
        return self.cut(self.starts[1:] - kept, kept)

    def padded(self, length: int) -> Padded:
        """`length`: at least that of the longest session."""
        owners, place = self.owners(), np.arange(len(self.items)) - self.starts[self.owners()]

        def table(values: Ints, nothing: int) -> Ints:
            filled = np.full((len(self), length), nothing, dtype=np.int64)
            filled[owners, place] = values
            return filled

        told = untold(len(place)) if self.told is None else self.told
        kinds, seconds = table(told.kinds, UNTOLD), table(told.seconds, NEVER)
        return Padded(table(self.items, 0), kinds, seconds)


class Padded(NamedTuple):
    """(n, l) each: sessions, oldest touch first, with a row 0, UNTOLD and NEVER behind."""

    items: Ints
    kinds: Ints
    seconds: Ints


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


def session_log(sessions: Sequence[Sequence[int]], told: Told | None = None) -> SessionLog:
    lengths = np.array([len(session) for session in sessions], dtype=np.int64)
    flat = [item for session in sessions for item in session]
    return SessionLog(np.array(flat, dtype=np.int64), offsets(lengths), told)


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
