"""How far each partition is, seen by all processes: so that none runs ahead in log time.

Event ids are kept until the slowest partition is two days past them. Counting is exact however far
the partitions are apart, but a shopper who has as many ids as may be held would be over-full
sooner, and memory would grow: so they go together, as they did when the events came."""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence
from multiprocessing.context import SpawnContext

LEAD_MS = 3_600_000
"""Of log time, before the slowest partition."""
_FINISHED = 2**62


class Pace:
    """Numbers in shared memory, one of each kind a partition; each has one writer."""

    def __init__(self, context: SpawnContext, partitions: int) -> None:
        self._clocks: MutableSequence[int] = context.RawArray("q", partitions)
        self._done: MutableSequence[int] = context.RawArray("q", partitions)
        self.finish(range(partitions))

    def begin(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self._clocks[partition] = 0

    def note(self, partition: int, clock_ms: int, offsets: int) -> None:
        """`offsets` more were counted, the last of them at `clock_ms` or before."""
        self._clocks[partition] = max(self._clocks[partition], clock_ms)
        self._done[partition] += offsets

    def finish(self, partitions: Iterable[int]) -> None:
        """Nobody waits for these."""
        for partition in partitions:
            self._clocks[partition] = _FINISHED

    def may_go_on(self, partition: int) -> bool:
        return self._clocks[partition] <= min(self._clocks) + LEAD_MS

    def clock(self, partition: int) -> int:
        return self._clocks[partition]

    @property
    def done(self) -> int:
        return sum(self._done)
