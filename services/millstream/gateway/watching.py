"""Reads the end of the events topic, but only while somebody looks, and never more than a share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from millstream.domain.brokers import Servers
from millstream.domain.errors import OperatorError
from millstream.domain.log import LogRecord
from millstream.streaming.access import access
from millstream.streaming.decode import as_log_record
from millstream.streaming.header_names import read_any_header_name
from millstream.streaming.topic_admin import partitions_of

LOOKS_S = 20.0
"""So long after the last question the topic is read on."""
FETCH_MS = 100
MOST_AT_ONCE = 1_000
"""Records of one fetch. A fetch that brings so many leaves out what lies between it and the end:
ten fetches a second bound what looking on costs."""
AGAIN_S = 2.0

log = structlog.get_logger("millstream.gateway")

Take = Callable[[LogRecord], None]


class Watching:
    """`always`: also while nobody looks."""

    def __init__(self, servers: Servers, topic: str, take: Take, always: bool = False) -> None:
        self._servers = servers
        self._topic = topic
        self._take = take
        self._always = always
        self._asked = asyncio.Event()
        self._until = 0.0
        self._read: dict[int, int] = {}
        self.reading = asyncio.Event()
        """Set while what comes is seen."""
        self.left_out = False
        """Whether more has come since it is read on than was looked at."""
        if always:
            self._asked.set()

    def ask(self) -> None:
        self._until = time.monotonic() + LOOKS_S
        self._asked.set()

    async def follow(self) -> None:
        """For ever; where Kafka is away it is tried again."""
        while True:
            await self._asked.wait()
            try:
                await self._read_on()
            except (KafkaError, OSError, OperatorError) as error:
                log.warning("live events not read", kind=type(error).__name__)
                await asyncio.sleep(AGAIN_S)
            finally:
                self.reading.clear()

    @property
    def _wanted(self) -> bool:
        return self._always or time.monotonic() < self._until

    async def _read_on(self) -> None:
        read_any_header_name()
        consumer = AIOKafkaConsumer(
            **access(self._servers),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            fetch_max_wait_ms=FETCH_MS // 2,
        )
        await consumer.start()
        self._read.clear()
        self.left_out = False
        try:
            consumer.assign(await partitions_of(self._servers, self._topic))
            for place in consumer.assignment():
                await consumer.position(place)
            self.reading.set()
            while self._wanted:
                await self._fetch(consumer)
        finally:
            await consumer.stop()
        if not self._wanted:
            self._asked.clear()

    async def _fetch(self, consumer: AIOKafkaConsumer) -> None:
        chunks = await consumer.getmany(timeout_ms=FETCH_MS, max_records=MOST_AT_ONCE)
        if not chunks:
            return
        for place, records in chunks.items():
            read = self._read.get(place.partition, -1)
            for record in records:
                if record.offset > read:  # after a leap the embedded broker gives some again
                    self._take(as_log_record(record))
            self._read[place.partition] = max(read, records[-1].offset)
        if sum(map(len, chunks.values())) >= MOST_AT_ONCE:
            await self._leap(consumer)
        await asyncio.sleep(FETCH_MS / 1000)

    async def _leap(self, consumer: AIOKafkaConsumer) -> None:
        """To the end of what has come meanwhile."""
        places: set[TopicPartition] = consumer.assignment()
        before = {place: await consumer.position(place) for place in places}
        await consumer.seek_to_end(*places)
        for place, stood in before.items():
            end = await consumer.position(place)
            if end < stood:  # the embedded broker tells too low an end
                consumer.seek(place, stood)
            self.left_out = self.left_out or end > stood
