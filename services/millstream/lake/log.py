"""The topic as the lake reads it: no group, all partitions, positions from the files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from millstream.domain.erasures import Read
from millstream.domain.errors import Halt, OperatorError
from millstream.domain.log import LogRecord
from millstream.lake import telemetry
from millstream.lake.position import Witness, starting_offset
from millstream.stores.lake import last_record, offsets

_POLL_MS = 500
_MOST_POLLED = 20_000
_LOOK_FOR_PARTITIONS_S = 5.0


class KafkaLog:
    """`pipeline.Log` on Kafka. `consumer` has started, reads committed records only, commits
    nothing and resets nothing; `admin` has started. Both belong to the caller."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        admin: AIOKafkaAdminClient,
        kept: tuple[str, Read],
        root: Path,
        *,
        begin_at_log_start: bool,
    ) -> None:
        """`kept`: the topic, and whose a record of it is."""
        self.topic, self.read = kept
        self._begin_at_log_start = begin_at_log_start
        self._consumer = consumer
        self._admin = admin
        self._root = root
        self._next: dict[int, int] = {}
        self._witnesses: dict[int, Witness] = {}
        self._look_again = 0.0

    async def join_new_partitions(self) -> Mapping[int, int]:
        """Asks the cluster at most every few seconds."""
        if time.monotonic() < self._look_again:
            return {}
        try:
            joined = await self._begin(await self._partitions() - self._next.keys())
        except (KafkaError, TimeoutError) as error:
            if not self._next:
                raise OperatorError(
                    f"topic {self.topic}",
                    f"{type(error).__name__} from the cluster",
                    "a cluster that describes it",
                    "Check KAFKA_BOOTSTRAP_SERVERS and the brokers' health",
                ) from None
            telemetry.cluster_silent(type(error).__name__)
            joined = {}
        self._look_again = time.monotonic() + _LOOK_FOR_PARTITIONS_S
        return joined

    async def poll(self) -> Mapping[int, Sequence[LogRecord]]:
        try:
            fetched = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_MOST_POLLED)
        except OffsetOutOfRangeError as error:
            raise Halt(_out_of_range(self.topic, error.args[0])) from None
        chunk: dict[int, Sequence[LogRecord]] = {}
        for place, messages in fetched.items():
            records = [as_record(message) for message in messages]
            witness = self._witnesses.pop(place.partition, None)
            if witness is not None:
                records = witness.check(records)
            if records:
                self._next[place.partition] = records[-1].offset + 1
                chunk[place.partition] = records
        return chunk

    def behind(self) -> Mapping[int, int]:
        ends = {p: self._consumer.highwater(self._place(p)) for p in self._next}
        return {p: max(0, end - self._next[p]) for p, end in ends.items() if end is not None}

    async def _partitions(self) -> set[int]:
        # Asking for the topic by name could create it.
        if not self._next and self.topic not in await self._admin.list_topics():
            raise OperatorError(
                f"topic {self.topic}",
                "a cluster that does not have it",
                "a topic with partitions",
                "run `millstream init`, or set MILLSTREAM_TOPIC_PREFIX to the prefix it ran with",
            )
        (topic,) = await self._admin.describe_topics([self.topic])
        return {int(entry["partition"]) for entry in topic["partitions"]}

    async def _begin(self, new: set[int]) -> dict[int, int]:
        if not new:
            return {}
        stored = offsets(self._root, self.topic)
        log_starts = await self._consumer.beginning_offsets([self._place(p) for p in sorted(new)])
        for place, log_start in log_starts.items():
            partition = place.partition
            self._next[partition] = starting_offset(
                place, stored.get(partition), log_start, self._begin_at_log_start
            )
            last = last_record(self._root, self.topic, partition)
            if last is not None and last.offset >= log_start:
                self._witnesses[partition] = Witness(last)
            telemetry.started(self.topic, partition, self._next[partition])
        self._assign_all()
        return {partition: self._next[partition] for partition in new}

    def _assign_all(self) -> None:
        """Assigning forgets every position, so all of them are set again before it can be missed:
        nothing is awaited in between."""
        self._consumer.assign([self._place(p) for p in sorted(self._next)])
        for partition, offset in self._next.items():
            witness = self._witnesses.get(partition)
            self._consumer.seek(
                self._place(partition), offset if witness is None else witness.last.offset
            )

    def _place(self, partition: int) -> TopicPartition:
        return TopicPartition(self.topic, partition)


def as_record(message: Any) -> LogRecord:
    """From aiokafka's record; nulls stay nulls."""
    return LogRecord(
        message.topic,
        message.partition,
        message.offset,
        message.timestamp,
        message.key,
        message.value,
        tuple(message.headers),
    )


def _out_of_range(topic: str, asked: Mapping[TopicPartition, int]) -> str:
    places = ", ".join(f"partition {place.partition} at {at}" for place, at in asked.items())
    return (
        f"topic {topic}: the log no longer has, or does not yet have, the next record ({places}). "
        "Retention has passed the lake, or the topic was created anew; records would be missing"
    )
