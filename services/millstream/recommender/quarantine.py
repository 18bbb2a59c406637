"""What to do about a record that kills the worker: nothing tells of it but that the worker began at
one position again and again. Then what comes next is decoded in a process that may die first
(streaming/trial.py), and a record that kills it becomes a dead letter unread."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import structlog

from millstream.domain.errors import Reason, Refused
from millstream.domain.identity import tenant_in
from millstream.domain.log import Partition
from millstream.domain.replayed import OriginOf
from millstream.recommender import telemetry
from millstream.stores.fences import Fences
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.decode import (
    Decoded,
    Letter,
    Record,
    as_log_record,
    decode_records,
    whole_range,
)

MOST_STARTS = 3
"""At one position, before its records are suspected."""

TRIALS = 2
"""Of the records that come next, portions of one partition. While the second is tried the first is
counted; so what dies of a later one begins further on."""

PoisonAmong = Callable[[Sequence[Record]], Awaitable[set[int]]]
"""As streaming.trial.poison_among."""

log = structlog.get_logger()


class Starts(Protocol):
    """As stores.starts.Starts."""

    async def count(
        self, epoch: str, positions: Mapping[Partition, int], /
    ) -> Mapping[Partition, int]: ...


class Quarantine:
    def __init__(
        self,
        dead_letters: DeadLetters,
        origin_of: OriginOf,
        starts: Starts,
        poison_among: PoisonAmong,
        most_starts: int = MOST_STARTS,
    ) -> None:
        self._dead_letters = dead_letters
        self._origin_of = origin_of
        self._starts = starts
        self._poison_among = poison_among
        self._most_starts = most_starts
        self._epoch = ""
        self._begun: dict[Partition, int] = {}
        self._trials: Counter[Partition] = Counter()
        self._poison: dict[Partition, set[int]] = {}

    async def begin(self, fences: Fences) -> None:
        """To be told the positions of partitions that were taken over. One at which this process
        began already is no new start. Raises as the store does."""
        if fences.epoch != self._epoch:  # offsets of another log
            self._epoch = fences.epoch
            self._begun.clear()
            self._trials.clear()
            self._poison.clear()
        lowest = {tp: found.lowest for tp, found in fences.partitions.items()}
        new = {tp: at for tp, at in lowest.items() if self._begun.get(tp) != at}
        starts = await self._starts.count(self._epoch, new)
        self._begun |= new
        for tp in (tp for tp, n in starts.items() if n > self._most_starts):
            self._trials[tp] = TRIALS
            log.warning(
                "began here before and got no further: the next records are tried first",
                partition=tp[1],
                offset=lowest[tp],
                starts=starts[tp],
            )

    async def decode(self, source: Partition, records: Sequence[Record], start: int) -> Decoded:
        """As streaming.decode.decode_records. Raises Halt where a trial does not end."""
        if self._trials[source]:
            self._trials[source] -= 1
            found = await self._poison_among(records)
            self._poison.setdefault(source, set()).update(found)
        poison = self._poison.get(source, ())
        apart = [r for r in records if r.offset in poison] if poison else ()
        if not apart:
            return await self._decode(source, records, start)
        await asyncio.gather(*(self._set_apart(record) for record in apart))
        whole = [r for r in records if r.offset not in poison]
        decoded = await self._decode(source, whole, start) if whole else None
        letters = [Letter(r.offset, r.timestamp, Reason.POISON, tenant_in(r.key)) for r in apart]
        if decoded is not None:
            letters = sorted([*letters, *decoded.letters], key=lambda letter: letter.offset)
        return whole_range(source, start, records, decoded.arrivals if decoded else (), letters)

    async def _decode(self, source: Partition, records: Sequence[Record], start: int) -> Decoded:
        return await decode_records(*source, records, self._dead_letters, self._origin_of, start)

    async def _set_apart(self, record: Record) -> None:
        """Returns when the letter is durable."""
        await self._dead_letters.send(as_log_record(record), deadly())
        telemetry.POISON.inc()
        log.error(
            "a record that kills is set apart", partition=record.partition, offset=record.offset
        )


def deadly() -> Refused:
    return Refused(Reason.POISON, "whoever decodes it dies: it was not read")
