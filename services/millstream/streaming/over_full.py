"""The dead letters of events that the store had no room for: they go out after the count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

import structlog

from millstream.domain.errors import Reason, Refused
from millstream.domain.failpoints import failpoint
from millstream.domain.log import LogRecord, Partition
from millstream.domain.replayed import OriginOf, no_origin
from millstream.stores.outbox import Place
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.decode import Arrival, Record, as_log_record
from millstream.streaming.probe import Absent

NO_LOG_TIME = -1

_log = structlog.get_logger()


class Outbox(Protocol):
    """As stores.outbox.Outbox."""

    async def owed(self, partitions: Collection[Partition]) -> list[Place]: ...

    async def settle(self, places: Iterable[Place]) -> None: ...


class Log(Protocol):
    """As streaming.probe.LogReader."""

    async def first_records(
        self, places: Mapping[Partition, int]
    ) -> dict[Partition, Record | Absent]: ...


class OverFull:
    def __init__(
        self,
        dead_letters: DeadLetters,
        outbox: Outbox,
        log: Log,
        origin_of: OriginOf = no_origin,
        on_gone: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_gone`: called for each letter that goes out without its record."""
        self._dead_letters = dead_letters
        self._outbox = outbox
        self._log = log
        self._origin_of = origin_of
        self._on_gone = on_gone

    async def send(self, records: Iterable[Record], over: Sequence[Arrival]) -> None:
        """The letters of `over`, whose records are among `records`: durable, and no longer owed,
        on return. Raises what the producer and the store raise; they are then still owed."""
        if not over:
            return
        failpoint("before-over-letters")
        refused = {(arrival.partition, arrival.offset): arrival for arrival in over}
        found = [
            (record, arrival)
            for record in records
            if (arrival := refused.get((record.partition, record.offset))) is not None
        ]
        await asyncio.gather(
            *(
                self._dead_letters.send(as_log_record(record), too_many(), arrival.origin)
                for record, arrival in found
            )
        )
        failpoint("after-over-letters")
        await self._outbox.settle([(r.topic, r.partition, r.offset) for r, _ in found])

    async def send_owed(self, handled: Mapping[Partition, int]) -> int:
        """The letters that a worker which died still owed, of the partitions of `handled` and
        before its offsets: what is at or past them is in work, and sent by `send`. Returns how
        many went out. A letter may go out twice, told by its place."""
        sent = 0
        for place in await self._outbox.owed(handled):
            topic, partition, offset = place
            if offset < handled[topic, partition] and await self._send_from_log(place):
                await self._outbox.settle([place])
                sent += 1
        return sent

    async def _send_from_log(self, place: Place) -> bool:
        """False where the broker did not answer: later."""
        topic, partition, offset = place
        source = (topic, partition)
        record = (await self._log.first_records({source: offset}))[source]
        if record is Absent.UNKNOWN:
            return False
        if not isinstance(record, Absent) and record.offset == offset:
            raw = as_log_record(record)
            origin = self._origin_of(topic, raw.key, raw.value, raw.headers)
            await self._dead_letters.send(raw, too_many(), origin)
            return True
        _log.warning("an over-full event is gone from the log", partition=partition, offset=offset)
        self._on_gone()
        gone = LogRecord(topic, partition, offset, NO_LOG_TIME, None, None)
        await self._dead_letters.send(gone, too_many(), gone=True)
        return True


def too_many() -> Refused:
    return Refused(Reason.OVER, "the shopper has too many event ids in the dedupe window")
