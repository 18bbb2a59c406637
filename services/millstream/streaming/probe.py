"""Asking the log itself what it has: the judge of a gap, of a witness, and of lag."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from millstream.domain.brokers import Servers
from millstream.domain.log import Partition
from millstream.streaming.access import access
from millstream.streaming.chunks import FETCH_WAIT_MS
from millstream.streaming.decode import Record
from millstream.streaming.header_names import read_any_header_name
from millstream.streaming.starting import started

DEADLINE_S = 10.0
LOOK_S = 1.5
LOOKS = 2
"""What is in the log comes within milliseconds; what is not there can only be waited for."""
GLANCE_S = 0.5
MOST_TURNS = 1_000
"""Of the loop, until the fetches of a client that is closed are let go; some ten are enough."""
ANSWER_S = 2.0
FETCH_BYTES = 64 * 1024
"""Of each partition: we want one record, not what follows it. A larger batch comes all the same."""

_NO_ANSWER = (KafkaError, OSError, TimeoutError)


class Absent(Enum):
    """Why there is no record to show."""

    GONE = "the broker answers, and has no record at this offset or after it"
    UNKNOWN = "the broker does not answer"


class LogReader:
    """A consumer in no group, kept open; one question at a time. It has nothing under way from
    before a question: each one drops what was fetched for the last."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._consumer = _consumer(servers)
        self._asking = asyncio.Lock()

    async def __aenter__(self) -> LogReader:
        """Raises OperatorError where no broker answers."""
        try:
            await started(self._consumer, self._servers)
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await _stop(self._consumer)

    async def starts(self, partitions: Iterable[Partition]) -> dict[Partition, int] | None:
        """The first offset that each still has; None where the broker does not answer."""
        return await self._offsets(self._consumer.beginning_offsets, partitions)

    async def ends(self, partitions: Iterable[Partition]) -> dict[Partition, int] | None:
        """As the broker says; the embedded one says too little."""
        return await self._offsets(self._consumer.end_offsets, partitions)

    async def first_records(
        self, places: Mapping[Partition, int]
    ) -> dict[Partition, Record | Absent]:
        """Per partition the first committed record at or after the offset, or why there is none.

        Blocks for milliseconds where all have one, up to some seconds where one has not: that the
        log has nothing is believed after two looks, and only of a broker that answers and does not
        itself claim to have more."""
        found: dict[Partition, Record | Absent] = {}
        async with self._asking:
            for _ in range(LOOKS):
                waiting = {tp: places[tp] for tp in places.keys() - found.keys()}
                if waiting:
                    found |= await self._look(waiting, LOOK_S)
        silent = {tp: places[tp] for tp in places.keys() - found.keys()}
        return found | (await self._silent(silent) if silent else {})

    async def waiting(self, places: Mapping[Partition, int]) -> set[Partition]:
        """Those that have a committed record at or after the offset, as far as it comes at once:
        one that is missing here may have."""
        async with self._asking:
            found = await self._look(places, GLANCE_S) if places else {}
        return {tp for tp, first in found.items() if not isinstance(first, Absent)}

    async def first_offset(self, source: Partition, offset: int) -> int | None:
        return await first_offset(self._servers, source, offset)

    async def _look(
        self, places: Mapping[Partition, int], seconds: float
    ) -> dict[Partition, Record | Absent]:
        """What comes in time; out of range is an answer too."""
        consumer = self._consumer
        found: dict[Partition, Record | Absent] = {}
        consumer.assign([TopicPartition(*tp) for tp in places])
        for tp, offset in places.items():
            consumer.seek(TopicPartition(*tp), offset)
        with contextlib.suppress(*_NO_ANSWER, UnicodeDecodeError):  # that ends the worker anyway
            async with asyncio.timeout(seconds):
                while len(found) < len(places):
                    for place, answer in (await self._next()).items():
                        found[place.topic, place.partition] = answer
                        consumer.pause(place)
        return found

    async def _next(self) -> dict[TopicPartition, Record | Absent]:
        try:
            batches = await self._consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=1)
        except OffsetOutOfRangeError as error:
            return dict.fromkeys(error.args[0], Absent.GONE)
        return {place: records[0] for place, records in batches.items() if records}

    async def _silent(self, places: Mapping[Partition, int]) -> dict[Partition, Record | Absent]:
        ends = await self.ends(places)
        if ends is None:
            return dict.fromkeys(places, Absent.UNKNOWN)
        return {
            tp: Absent.GONE if ends[tp] <= offset else Absent.UNKNOWN
            for tp, offset in places.items()
        }

    async def _offsets(
        self, ask: Any, partitions: Iterable[Partition]
    ) -> dict[Partition, int] | None:
        places = [TopicPartition(*tp) for tp in partitions]
        if not places:
            return {}
        try:
            async with asyncio.timeout(ANSWER_S):
                told = await ask(places)
        except _NO_ANSWER:
            return None
        return {(place.topic, place.partition): offset for place, offset in told.items()}


async def first_offset(servers: Servers, source: Partition, offset: int) -> int | None:
    """The offset of the first record at or after `offset`, as a reader of committed records sees
    it. None when none came in ten seconds, and when the log no longer reaches back to `offset`:
    what retention took is no hole. Opens a connection of its own: what another consumer has under
    way, from before a seek or after it, is not asked."""
    consumer = _consumer(servers)
    place = TopicPartition(*source)
    try:
        async with asyncio.timeout(DEADLINE_S):
            await consumer.start()
            consumer.assign([place])
            consumer.seek(place, offset)
            return int((await consumer.getone(place)).offset)
    except _NO_ANSWER:
        return None
    finally:
        await _stop(consumer)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """The client's own stop, while a fetch waits for a broker that is away, ends half-way with the
    fetch's CancelledError: so the fetches are let go first."""
    consumer.unsubscribe()
    fetcher = consumer._fetcher
    for _ in range(MOST_TURNS):
        if fetcher is None or not fetcher._pending_tasks:
            break
        await asyncio.sleep(0)
    await consumer.stop()


def _consumer(servers: Servers) -> AIOKafkaConsumer:
    read_any_header_name()
    return AIOKafkaConsumer(
        **access(servers),
        group_id=None,
        auto_offset_reset="none",
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
