"""What is told of a touch beside its item: what kind of event it was, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millstream.domain.events import TYPE_ORDER
from millstream.model.sessions.ragged import Ints

UNTOLD = 0
"""The kind, or the gap, of which nothing is known."""
KIND: dict[str, int] = {kind: place for place, kind in enumerate(TYPE_ORDER, start=UNTOLD + 1)}
"""By type of event."""
KINDS = len(KIND) + 1
NEVER = -1
"""In the place of a second that is not known."""
EDGES_S = 4 ** np.arange(11)
"""Gaps from which on another vector stands for them: 1 s, 4 s, 16 s, … 12 days."""
GAPS = len(EDGES_S) + 2


@dataclass(frozen=True, slots=True)
class Told:
    """`kinds` (touches,) as of KIND, or UNTOLD; `seconds` (touches,) since 1970, or NEVER."""

    kinds: Ints
    seconds: Ints

    def at(self, flat: Ints) -> Told:
        return Told(self.kinds[flat], self.seconds[flat])


def untold(touches: int) -> Told:
    return Told(np.full(touches, UNTOLD), np.full(touches, NEVER))


def passed(earlier: NDArray[np.int64], later: NDArray[np.int64]) -> NDArray[np.int64]:
    """Between seconds of shapes that go together, in 0 … GAPS - 1; UNTOLD where either is not
    known. To a clock that went back it is no time at all."""
    known = (earlier != NEVER) & (later != NEVER)
    return np.where(known, 1 + np.searchsorted(EDGES_S, later - earlier, side="right"), UNTOLD)


def gaps(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, l), from (n, l): since the touch before, UNTOLD for the first one."""
    found = np.full(seconds.shape, UNTOLD, dtype=np.int64)
    found[:, 1:] = passed(seconds[:, :-1], seconds[:, 1:])
    return found
