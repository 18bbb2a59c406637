"""Beside the worker, every few seconds: how far it is behind the log, in records and in seconds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from millstream.counting.guard import Standing
from millstream.domain.clock import Clock
from millstream.domain.log import Partition
from millstream.recommender import telemetry

LOOK_SECONDS = 5.0


class Log(Protocol):
    """As streaming.probe.LogReader."""

    async def ends(self, partitions: Iterable[Partition]) -> Mapping[Partition, int] | None: ...


class Lag:
    """A partition's lag in seconds is the age, by log time, of the record that was handled last,
    and 0 where no record waits; before a first record was handled it is not told. The embedded
    broker says too low an end, so that its lag reads low."""

    def __init__(
        self, log: Log, standing: Callable[[], Mapping[Partition, Standing]], clock: Clock
    ) -> None:
        self._log = log
        self._standing = standing
        self._clock = clock
        self._shown: set[int] = set()

    async def look(self, assigned: Collection[Partition]) -> dict[int, int]:
        """Records that wait, by partition. Nothing is told anew where the broker is silent."""
        standing = {tp: at for tp, at in self._standing().items() if tp in assigned}
        ends = await self._log.ends(standing)
        if ends is None:
            return {}
        behind = {tp[1]: max(0, ends[tp] - at.expected) for tp, at in standing.items()}
        for gone in self._shown - behind.keys():  # it is another worker's to tell now
            telemetry.forget_partition(gone)
        for partition, records in behind.items():
            telemetry.LAG_MESSAGES.labels(str(partition)).set(records)
            seconds = self._seconds(partition, records)
            if seconds is not None:
                telemetry.LAG_SECONDS.labels(str(partition)).set(seconds)
        self._shown = set(behind)
        return behind

    def _seconds(self, partition: int, records: int) -> float | None:
        if not records:
            return 0.0
        handled_ms = telemetry.handled_log_ms(partition)
        return None if handled_ms is None else max(0, self._clock() - handled_ms) / 1000
