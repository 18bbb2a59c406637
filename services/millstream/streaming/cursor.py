"""The dense-offset check: what a partition hands over is exactly the next part of the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar


class HasOffset(Protocol):
    @property
    def offset(self) -> int: ...


R = TypeVar("R", bound=HasOffset)


class Jumped(Exception):  # noqa: N818
    """Offsets are missing in front of what came: lost on the way here, or the log has none."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"offset {found} came where {expected} was expected")
        self.expected = expected
        self.found = found


@dataclass
class Cursor:
    """One assigned partition. `expected`: up to where all is handled; `taken`: the next offset to
    take, ahead of it by what is under way; `publish_from`: lists for earlier offsets went out
    before this worker took over; `witness`: of the last record handled; `nothing_before`: the log
    was asked, and has nothing from `taken` up to there."""

    expected: int
    publish_from: int
    witness: str = ""
    nothing_before: int = 0
    taken: int = field(init=False)

    def __post_init__(self) -> None:
        self.taken = self.expected

    def take(self, records: Sequence[R]) -> Sequence[R]:
        """The records not taken yet, none for a stale delivery. Raises Jumped on a gap."""
        first = next((i for i, r in enumerate(records) if r.offset >= self.taken), None)
        if first is None:
            return []
        fresh = records[first:]
        if fresh[0].offset > max(self.taken, self.nothing_before):
            raise Jumped(self.taken, fresh[0].offset)
        return fresh

    def took(self, to: int) -> None:
        self.taken = max(self.taken, to)

    def advance(self, to: int) -> None:
        self.expected = max(self.expected, to)
        self.took(to)
