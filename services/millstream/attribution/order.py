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
    nothing from before this time can still come. `end`: the offset after all that the log has.
    `handled_ms`: log time of what was handled last, None before the first."""

    next: int
    sure_to_ms: float = NEVER
    records: deque[tuple[int, int, T]] = field(default_factory=deque)
    """Offset, log time in ms, what it says."""
    end: int = 0
    handled_ms: int | None = None

    @property
    def known_to_ms(self) -> float:
        return max(self.sure_to_ms, self.records[-1][1] if self.records else NEVER)

    @property
    def behind(self) -> int:
        """Offsets that are not handled yet; compaction left some of them without a record."""
        return max(0, self.end - self.next)

    def age_ms(self, now_ms: int) -> int | None:
        """How long ago, by log time, the oldest record that waits came, 0 where none does: after
        a quiet hour the one handled last would tell an hour. While none of them was fetched it is
        told all the same; None before the first."""
        if not self.behind:
            return 0
        since_ms = self.records[0][1] if self.records else self.handled_ms
        return None if since_ms is None else max(0, now_ms - since_ms)


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
        first.next, first.handled_ms = offset + 1, log_ms
        yield said
