"""Faust at the door: records come in chunks, from positions that we decide.

Faust pays some 80 us of tasks and locks for every message between its consumer and an agent,
and its own book of what was read drops records on rebalance (docs/decisions.md, "Faust delivers,
Redis remembers"). So the scheduler hands the agent ONE message per partition and fetch, whose
value is the list of records; nothing is acknowledged or committed by Faust; and each seek after a
rebalance goes where the owner of the state says. The members overridden here are not all public:
faust-streaming is pinned, and tests/contract/test_faust.py pins what we rely on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import faust
from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord
from faust.serializers import codecs
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.transports import SchedulingStrategyT

from millstream.domain.errors import Halt
from millstream.streaming.header_names import read_any_header_name

FETCH_WAIT_MS = 50
"""How long a broker may hold a fetch that finds nothing new. Apache Kafka answers at once when a
record comes; the embedded broker looks again only after half of it."""

Partition = tuple[str, int]
"""(topic, partition number)."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one fetch brought of one partition, in the order of the log; never empty."""

    topic: str
    partition: int
    records: Sequence[ConsumerRecord[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class LogBounds:
    """What the broker says of a partition at assignment."""

    log_start: int
    committed: int | None
    committed_in: str = "0"
    """The epoch in which the group committed it."""


Resume = Callable[[Mapping[Partition, LogBounds]], Awaitable[Mapping[Partition, int]]]
"""Where to go on in each assigned partition. Called after every rebalance; a call longer than
the session timeout costs the group another rebalance."""


@dataclass(frozen=True, slots=True)
class _Envelope:
    """A chunk in the shape of one consumer record: its offset is the last record's."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    value: Chunk
    headers: tuple[()] = ()
    key: None = None
    checksum: None = None
    serialized_key_size: int = 0
    serialized_value_size: int = 0


class ChunkScheduler(SchedulingStrategyT):
    def __init__(self) -> None:
        pass

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        for tp, batch in records.items():
            if batch:
                last = batch[-1]
                chunk = Chunk(tp.topic, tp.partition, batch)
                yield (
                    tp,
                    _Envelope(
                        tp.topic,
                        tp.partition,
                        last.offset,
                        last.timestamp,
                        last.timestamp_type,
                        chunk,
                    ),
                )


class _PassThrough(codecs.Codec):
    """The chunk is no bytes: it goes to the agent as it is."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> bytes:  # noqa: ARG002
        raise TypeError("chunks are only read")


codecs.register("chunk", _PassThrough())


class _NoReadOffsets(dict[TP, Any]):
    """Faust drops what lies below the offset it remembers, also after a seek back; we check the
    order of offsets ourselves, so it is to remember nothing."""

    def __getitem__(self, _tp: TP) -> None:
        return None

    def __setitem__(self, _tp: TP, _offset: Any) -> None:
        pass

    def update(self, *_args: Any, **_kwargs: Any) -> None:
        pass


class ChunkConsumer(driver.Consumer):
    _thread: _ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _NoReadOffsets()
        self._seeking = asyncio.Lock()

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Faust would go to the committed offsets; we go where the state stands. Asked for by
        several tasks, and the assignment may change meanwhile: one at a time, until what was asked
        about is what is assigned."""
        app = cast(ChunkApp, self.app)
        async with self._seeking:
            asked: set[TP] | None = None
            while (assigned := self._of_source(app)) and assigned != asked:
                asked = assigned
                bounds = await self._thread.call_thread(self._thread.bounds, asked)
                positions = await app.resume(bounds)
                if self._of_source(app) == asked:
                    await self.seek_wait({TP(*tp): offset for tp, offset in positions.items()})

    def _of_source(self, app: ChunkApp) -> set[TP]:
        return {tp for tp in self.assignment() if tp.topic == app.source}

    async def commit_watermark(self, offsets: Mapping[Partition, int], epoch: str) -> bool:
        """Advisory: lag exporters and scalers read it. False when it was refused."""
        return bool(await self._thread.call_thread(self._thread.commit_watermark, offsets, epoch))


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """What must run on the loop of the consumer's own thread."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        self._tell_of_lost_connections(consumer._client)
        return consumer

    def _tell_of_lost_connections(self, client: Any) -> None:
        """Whoever answers at the same address afterwards may have another log."""
        closed, app = client._on_connection_closed, cast(ChunkApp, self.consumer.app)
        main = self.consumer.loop

        def on_closed(connection: Any, reason: Any) -> None:
            closed(connection, reason)
            if not main.is_closed():
                main.call_soon_threadsafe(app.connection_lost)

        client._on_connection_closed = on_closed

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        """Raises Halt where a header's name is no text: the client unpacks no record of that batch
        and would pass over them at the next fetch. And where the log does not have the position:
        nobody but an operator may choose another one."""
        app = cast(ChunkApp, self.consumer.app)
        try:
            return await super()._fetch_records(*args, **kwargs)
        except NoOffsetForPartitionError:
            return {}  # assigned, and not sought yet
        except UnicodeDecodeError:
            app.stopped_by = Halt(_unreadable(app.source, self.assignment()))
        except OffsetOutOfRangeError as error:
            app.stopped_by = Halt(_out_of_range(error.args[0]))
        raise app.stopped_by from None

    async def bounds(self, assigned: Iterable[TP]) -> dict[Partition, LogBounds]:
        consumer = self._ensure_consumer()
        partitions = [TopicPartition(tp.topic, tp.partition) for tp in assigned]
        starts = await consumer.beginning_offsets(partitions)
        committed = await consumer._coordinator.fetch_committed_offsets(partitions)
        return {
            (tp.topic, tp.partition): _bounds(starts[tp], committed.get(tp)) for tp in partitions
        }

    async def commit_watermark(self, offsets: Mapping[Partition, int], epoch: str) -> bool:
        mine = {(tp.topic, tp.partition) for tp in self.assignment()}
        wanted = {
            TopicPartition(*tp): OffsetAndMetadata(offset, epoch)
            for tp, offset in offsets.items()
            if tp in mine
        }
        try:
            if wanted:
                await self._ensure_consumer().commit(wanted)
        except KafkaError:
            return False
        return True


def _bounds(log_start: int, committed: OffsetAndMetadata | None) -> LogBounds:
    if committed is None:
        return LogBounds(log_start, None)
    return LogBounds(log_start, committed.offset, committed.metadata or "0")


def _out_of_range(positions: Mapping[TopicPartition, int]) -> str:
    told = "; ".join(f"{tp.partition} of {tp.topic} at {at}" for tp, at in positions.items())
    return (
        f"the log does not have the offset that is next (partition {told}): the topic was made "
        "anew or lost records. See deploy/runbooks/topic-recreated-or-truncated.md, or "
        "retention-passed.md where its first offset is greater"
    )


def _unreadable(topic: str, assigned: Iterable[TP]) -> str:
    partitions = ", ".join(str(tp.partition) for tp in sorted(assigned))
    return (
        f"a record of topic {topic} has a header whose name is not UTF-8, which the Kafka client "
        f"can't read; it is in one of the partitions {partitions}. Find it with another client, "
        "and move the log's start past it (kafka-delete-records) once what is before it is counted"
    )


class ChunkTransport(driver.Transport):
    Consumer = ChunkConsumer


class ChunkApp(faust.App):
    """A Faust app that reads one topic in chunks and keeps no state of its own."""

    def __init__(
        self,
        group: str,
        source: str,
        broker: str,
        resume: Resume,
        session_timeout_s: float,
    ) -> None:
        self.source = source
        self.resume = resume
        self.stopped_by: Exception | None = None
        read_any_header_name()
        super().__init__(
            group,
            broker=";".join(f"kafka://{host}" for host in broker.split(",")),
            ConsumerScheduler=ChunkScheduler,
            broker_session_timeout=session_timeout_s,
            broker_heartbeat_interval=2.0,
            broker_rebalance_timeout=max(10.0, session_timeout_s),
            consumer_auto_offset_reset="none",
            stream_wait_empty=False,
            stream_buffer_maxsize=16,
            stream_recovery_delay=0.0,
            table_standby_replicas=0,
            store="memory://",
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            agent_supervisor="mode.supervisors.CrashingSupervisor",
            value_serializer="raw",
            key_serializer="raw",
        )
        self.on_partitions_revoked.connect(self._on_released)

    def released(self) -> None:
        """The group is about to give the partitions out anew: none is ours until `resume`."""

    def connection_lost(self) -> None:
        """A connection of the consumer was closed, for whatever reason."""

    def _create_directories(self) -> None:
        """None: nothing is kept on this machine."""

    async def _on_released(self, *_: Any, **__: Any) -> None:
        self.released()

    def _new_transport(self) -> ChunkTransport:
        return ChunkTransport(self.conf.broker_consumer, self)

    def chunks(self) -> Any:
        """The source topic as a Faust topic whose values are `Chunk`s; no acknowledgement."""
        return self.topic(self.source, value_serializer="chunk", key_serializer="raw", acks=False)

    async def rewind(self) -> None:
        """Asks for the positions again and seeks there."""
        await cast(ChunkConsumer, self.consumer).perform_seek()

    async def commit_watermark(self, offsets: Mapping[Partition, int], epoch: str) -> bool:
        return await cast(ChunkConsumer, self.consumer).commit_watermark(offsets, epoch)
