"""What must run on the loop of Faust's consumer thread: the Kafka client itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, cast

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from millstream.domain.errors import Halt
from millstream.domain.log import Partition
from millstream.streaming.chunks import FETCH_WAIT_MS, LogBounds

BUSY_RECORDS = 4
BUSY_WAIT_MS = 30
PLENTY_BYTES = 1_000_000
"""A broker answers a fetch as soon as there is one record, and to fetch costs as much as several
records do: once one brought so many, the next is held so long, or for so many bytes."""


class Owner(Protocol):
    """The app that reads. `stopped_by`: what the log cannot give, for whoever ends the worker."""

    source: str
    stopped_by: Exception | None

    def connection_lost(self) -> None: ...


class ConsumerThread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        self._tell_of_lost_connections(consumer._client)
        return consumer

    def _tell_of_lost_connections(self, client: Any) -> None:
        """Whoever answers at the same address afterwards may have another log."""
        closed, app = client._on_connection_closed, cast(Owner, self.consumer.app)
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
        app = cast(Owner, self.consumer.app)
        try:
            found = await super()._fetch_records(*args, **kwargs)
            self._pace(sum(map(len, found.values())))
            return found
        except NoOffsetForPartitionError:
            return {}  # assigned, and not sought yet
        except UnicodeDecodeError:
            app.stopped_by = Halt(_unreadable(app.source, self.assignment()))
        except OffsetOutOfRangeError as error:
            app.stopped_by = Halt(_out_of_range(error.args[0]))
        raise app.stopped_by from None

    def _pace(self, records: int) -> None:
        """`records`: what the last fetch brought."""
        fetcher, busy = self._ensure_consumer()._fetcher, records >= BUSY_RECORDS
        fetcher._fetch_min_bytes = PLENTY_BYTES if busy else 1
        fetcher._fetch_max_wait_ms = BUSY_WAIT_MS if busy else FETCH_WAIT_MS

    async def bounds(self, assigned: Iterable[TP]) -> dict[Partition, LogBounds]:
        consumer = self._ensure_consumer()
        partitions = [TopicPartition(tp.topic, tp.partition) for tp in assigned]
        starts = await consumer.beginning_offsets(partitions)
        committed = await consumer._coordinator.fetch_committed_offsets(partitions)
        return {
            (tp.topic, tp.partition): _bounds(starts[tp], committed.get(tp)) for tp in partitions
        }

    async def commit_watermark(self, offsets: Mapping[Partition, int], epoch: str) -> bool:
        """False where it was refused, or not tried because the group is being joined: with a
        generation that has just passed it would be refused, for which the client throws away the
        membership that it has got meanwhile, joins again, and so makes all others join again."""
        if not self._is_member():
            return False
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

    def _is_member(self) -> bool:
        """The client's heart beats from when the group is joined until it is joined anew."""
        return self._ensure_consumer()._coordinator._heartbeat_task is not None


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
