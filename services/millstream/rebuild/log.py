"""The log as a rebuild reads it: no group, chosen partitions, up to ends that stood before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from millstream.domain.brokers import Servers
from millstream.domain.errors import Halt
from millstream.rebuild.plan import Span
from millstream.streaming.access import access
from millstream.streaming.cursor import Cursor, Jumped
from millstream.streaming.decode import Record
from millstream.streaming.header_names import read_any_header_name
from millstream.streaming.probe import LogReader
from millstream.streaming.starting import started

FETCH_MS = 200
FETCH_BYTES = 2 * 1024 * 1024


class KafkaLog:
    """history.Log on Kafka. `consumer` has started and is nobody else's; `reader` as well."""

    def __init__(
        self, consumer: AIOKafkaConsumer, reader: LogReader, topic: str, spans: Sequence[Span]
    ) -> None:
        self._consumer = consumer
        self._reader = reader
        self._topic = topic
        self._cursors = {span.partition: Cursor(span.lake_to, 0) for span in spans}
        self._ends = {span.partition: span.end for span in spans}
        self._at = {span.partition: span.lake_to for span in spans}
        consumer.assign([TopicPartition(topic, partition) for partition in self._at])
        for partition, offset in self._at.items():
            consumer.seek(TopicPartition(topic, partition), offset)

    async def fetch(self, ready: Sequence[int], most: int) -> Mapping[int, Sequence[Record]]:
        places = [TopicPartition(self._topic, partition) for partition in ready]
        try:
            fetched = await self._consumer.getmany(*places, timeout_ms=FETCH_MS, max_records=most)
        except OffsetOutOfRangeError as error:
            raise Halt(_out_of_range(self._topic, error.args[0])) from None
        found = {place.partition: await self._fresh(place, got) for place, got in fetched.items()}
        for place in places:
            self._at[place.partition] = await self._consumer.position(place)
        return {partition: records for partition, records in found.items() if records}

    def is_read(self, partition: int) -> bool:
        return partition not in self._at or self._at[partition] >= self._ends[partition]

    async def _fresh(self, place: TopicPartition, records: Sequence[Record]) -> Sequence[Record]:
        """Raises Halt where the client passed over what the log has, or the log does not say."""
        cursor = self._cursors[place.partition]
        try:
            fresh = cursor.take(records)
        except Jumped as jumped:
            source = (place.topic, place.partition)
            first = await self._reader.first_offset(source, jumped.expected)
            if first != jumped.found:
                raise Halt(f"partition {place.partition}: {jumped}; run it again") from None
            fresh = records
        if fresh:
            cursor.advance(fresh[-1].offset + 1)
        return fresh


@asynccontextmanager
async def open_log(servers: Servers, topic: str, spans: Sequence[Span]) -> AsyncIterator[KafkaLog]:
    read_any_header_name()
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(LogReader(servers))
        consumer = AIOKafkaConsumer(
            **access(servers),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        stack.push_async_callback(consumer.stop)
        await started(consumer, servers)
        yield KafkaLog(consumer, reader, topic, spans)


def _out_of_range(topic: str, asked: Mapping[TopicPartition, int]) -> str:
    places = ", ".join(f"partition {place.partition} at {at}" for place, at in asked.items())
    return (
        f"topic {topic} no longer has the next record ({places}): retention has passed meanwhile. "
        "Run `millstream rebuild --resume`: what is gone then comes from the lake"
    )
