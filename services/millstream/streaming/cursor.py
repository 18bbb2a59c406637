"""The dense-offset check: what a partition hands over is exactly the next part of the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

TRUE_HOLE_AFTER = 2
"""The broker skips the same offsets so many times: they do not exist (transaction markers)."""

REMEMBERED = 100_000
"""Offsets; no slot lags as far behind (recommender/record.py, IDLE_RECORDS)."""


class HasOffset(Protocol):
    @property
    def offset(self) -> int: ...


R = TypeVar("R", bound=HasOffset)


class Jumped(Exception):  # noqa: N818
    """Offsets are missing in front of what came: seek to `expected` and read again."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"offset {found} came where {expected} was expected")
        self.expected = expected
        self.found = found


@dataclass
class Cursor:
    """One assigned partition. `expected`: the next offset to handle; `publish_from`: lists for
    earlier offsets went out before this worker took over."""

    expected: int
    publish_from: int
    holes: int = 0
    _jumps: dict[tuple[int, int], int] = field(default_factory=dict)

    def take(self, records: Sequence[R]) -> Sequence[R]:
        """The records not handled yet, none for a stale delivery. Raises Jumped on a gap."""
        first = next((i for i, r in enumerate(records) if r.offset >= self.expected), None)
        if first is None:
            return []
        fresh = records[first:]
        found = fresh[0].offset
        if found > self.expected:
            jump = (self.expected, found)
            self._jumps[jump] = self._jumps.get(jump, 0) + 1
            if self._jumps[jump] < TRUE_HOLE_AFTER:
                raise Jumped(*jump)
            self.holes += found - self.expected
        self._forget(found, fresh[-1].offset)
        return fresh

    def _forget(self, first: int, last: int) -> None:
        """Jumps over what has come after all, and those too old to be met again. The others stay:
        going back to one leads over those before it."""
        self._jumps = {
            jump: seen
            for jump, seen in self._jumps.items()
            if first - REMEMBERED <= jump[0] and not first <= jump[0] <= last
        }

    def remember(self, earlier: Cursor) -> None:
        """Goes on counting the jumps that `earlier` saw: to seek makes a new cursor, and only what
        is missing again after a seek is a true hole."""
        self._jumps = earlier._jumps

    def advance(self, to: int) -> None:
        self.expected = max(self.expected, to)
