"""Beside the worker, every few seconds: the log is still the one that was counted, and the worker
goes on with it. Asks through a connection of its own, so that a consumer that is stuck, or was
told another position, is not its own witness."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from millstream.counting.watchdog import Watchdog
from millstream.domain.log import Partition
from millstream.streaming import witness

GUARD_SECONDS = 4.0
"""With the few seconds that a look at a silent log takes, trouble is noticed within ten."""
PROMPT_S = 1.0

StoreTakesCalls = Callable[[], Awaitable[None]]
"""Returns once Redis has taken a call that writes nothing; raises Halt as the worker's own calls
do (stores/epoch.py)."""


Assigned = Callable[[], Collection[Partition]]
"""What the group has given to this worker."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Of an assigned partition: the next offset to handle, and the witness of the last record that
    was counted before it ("" for none)."""

    expected: int
    witness: str


class Watched(Protocol):
    """As recommender.worker.Worker."""

    @property
    def is_full(self) -> bool: ...

    def standing(self) -> Mapping[Partition, Standing]: ...


class Log(witness.Log, Protocol):
    """As streaming.probe.LogReader."""

    async def waiting(self, places: Mapping[Partition, int]) -> set[Partition]: ...


class Guard:
    def __init__(
        self,
        worker: Watched,
        log: Log,
        store_takes_calls: StoreTakesCalls,
        now: Callable[[], float],
        assigned: Assigned,
    ) -> None:
        """`now`: seconds of a clock that only rises."""
        self._worker = worker
        self._log = log
        self._store_takes_calls = store_takes_calls
        self._now = now
        self._assigned = assigned
        self._seen: dict[Partition, str] = {}
        self._watchdog = Watchdog()

    async def run(self) -> None:
        """For ever. Raises Halt."""
        while True:
            await asyncio.sleep(GUARD_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Once. Raises Halt where the log lost what is needed, is another one, or the worker does
        not go on. While Redis takes no call the worker waits for it, as we do here: that time does
        not count against it, nor does any in which the broker does not answer."""
        began = self._now()
        await self._store_takes_calls()
        if self._now() - began > PROMPT_S:
            self._watchdog.excuse()
        standing = dict(self._worker.standing())
        starts = await self._log.starts(standing)
        if starts is None:
            self._watchdog.excuse()
            return
        self._require_unread(starts)
        await self._compare(standing, starts)
        await self._watch(standing)

    def _require_unread(self, starts: Mapping[Partition, int]) -> None:
        """By where the worker stands now: what was handled while we asked may go."""
        for tp, at in self._standing().items():
            if starts.get(tp, 0) > at.expected:
                raise witness.past_retention(tp, starts[tp], at.expected)

    async def _compare(
        self, standing: Mapping[Partition, Standing], starts: Mapping[Partition, int]
    ) -> None:
        """Of each partition the record handled last, and the one that was so at the last look:
        what a worker has handled since may be of another log."""
        now = {tp: at.witness for tp, at in standing.items()}
        for asked in ({tp: self._seen.get(tp, "") for tp in now}, now):
            found = {tp: witness.readable([asked[tp]], starts[tp]) for tp in asked}
            there = {tp: w[0] for tp, w in found.items() if w}
            if there:
                await witness.compare(self._log, there)
        self._seen = now

    async def _watch(self, standing: Mapping[Partition, Standing]) -> None:
        behind = await self._log.waiting({tp: at.expected for tp, at in standing.items()})
        now = self._standing()
        places = {tp: now[tp].expected if tp in now else None for tp in self._assigned()}
        self._watchdog.look(self._now(), places, behind, is_full=self._worker.is_full)

    def _standing(self) -> dict[Partition, Standing]:
        """Of what is the worker's now: what it stood at before tells of the log, not of it."""
        mine = self._assigned()
        return {tp: at for tp, at in self._worker.standing().items() if tp in mine}
