"""Beside the judging and the counting, every few seconds: how far each is behind its topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from millstream.domain.clock import Clock
from millstream.domain.log import Partition
from millstream.insights import telemetry

LOOK_SECONDS = 5.0


class Log(Protocol):
    """As streaming.probe.LogReader."""

    async def ends(self, partitions: Iterable[Partition]) -> Mapping[Partition, int] | None: ...


@dataclass(frozen=True, slots=True)
class Reached:
    """`expected`: the next offset; `handled_ms`: log time of the record before it, None where this
    process has handled none."""

    expected: int
    handled_ms: int | None


class Lag:
    """A partition's lag in seconds is the age, by log time, of the record that was handled last, or
    how long records have been seen to wait where none was; 0 where none waits. The embedded broker
    says too low an end, so that its lag reads low."""

    def __init__(
        self, log: Log, reached: Callable[[], Mapping[Partition, Reached]], clock: Clock
    ) -> None:
        self._log = log
        self._reached = reached
        self._clock = clock
        self._waiting_since: dict[Partition, int] = {}
        self._shown: set[Partition] = set()

    async def look(self) -> None:
        """Tells nothing anew where the broker is silent."""
        reached = self._reached()
        ends = await self._log.ends(reached)
        if ends is None:
            return
        for gone in self._shown - reached.keys():  # it is another process's to tell now
            telemetry.forget_partition(gone)
            self._waiting_since.pop(gone, None)
        for tp, at in reached.items():
            records = max(0, ends[tp] - at.expected)
            telemetry.LAG_MESSAGES.labels(tp[0], str(tp[1])).set(records)
            telemetry.LAG_SECONDS.labels(tp[0], str(tp[1])).set(self._seconds(tp, at, records))
        self._shown = set(reached)

    def _seconds(self, tp: Partition, at: Reached, records: int) -> float:
        if not records:
            self._waiting_since.pop(tp, None)
            return 0.0
        now = self._clock()
        since = self._waiting_since.setdefault(tp, now)
        return max(0, now - (since if at.handled_ms is None else at.handled_ms)) / 1000
