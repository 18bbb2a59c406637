"""Lists and events of one partition in the order of the log, as far as it is known; pure.

A list goes before what was done at its own time or later: nobody can have done anything with it
earlier."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")
NEVER, EVER = float("-inf"), float("inf")


@dataclass
class Waiting(Generic[T]):
    """What was read and not handled. `next`: the offset after what was handled. `sure_to_ms`:
    nothing from before this time can still come."""

    next: int
    sure_to_ms: float = NEVER
    records: deque[tuple[int, int, T]] = field(default_factory=deque)
    """Offset, log time in ms, what it says."""

    @property
    def known_to_ms(self) -> float:
        return max(self.sure_to_ms, self.records[-1][1] if self.records else NEVER)


def due(lists: Waiting[Any], events: Waiting[Any], most: int) -> Iterator[Any]:
    """At most so many; each is taken off, and `next` moves on, as it is yielded."""
    until = min(lists.known_to_ms, events.known_to_ms)
    for _ in range(most):
        ahead = [one for one in (lists, events) if one.records]
        if not ahead:
            return
        first = min(ahead, key=lambda one: one.records[0][1])
        offset, log_ms, said = first.records[0]
        if log_ms > until:
            return
        first.records.popleft()
        first.next = offset + 1
        yield said
