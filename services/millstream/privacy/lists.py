"""What a new reader of the lists topic would find of some shoppers."""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.structs import ConsumerRecord

from millstream.domain.acceptance import Shopper
from millstream.domain.brokers import Servers
from millstream.domain.erasures import Marks
from millstream.domain.identity import record_key
from millstream.domain.lists import RecommendationList
from millstream.streaming.access import access
from millstream.streaming.followers import Follower, read_to_its_end
from millstream.streaming.topic_admin import partitions_of

CATCH_UP_S = 120.0

_LISTS = msgspec.json.Decoder(RecommendationList)


class ListWatch:
    """Entered, it has read the partitions of the shoppers' keys to their ends, and goes on."""

    def __init__(self, servers: Servers, topic: str, shoppers: Collection[Shopper]) -> None:
        self._servers = servers
        self._topic = topic
        self._keys = {record_key(*shopper): shopper for shopper in shoppers}
        self._newest: dict[Shopper, bytes | None] = {}
        self._follower: Follower | None = None

    def remaining(self, marks: Marks) -> int:
        """Shoppers whose newest record is a list that answers something up to their mark, or is
        none that we can read. Raises what ended the reading."""
        if self._follower is not None:
            self._follower.raise_what_ended_it()
        held = {name: value for name, value in self._newest.items() if value is not None}
        return sum(_log_ms(value) <= marks[name] for name, value in held.items() if name in marks)

    async def __aenter__(self) -> Self:
        places = await partitions_of(self._servers, self._topic)
        consumer = AIOKafkaConsumer(
            **access(self._servers),
            group_id=None,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        numbers = sorted(place.partition for place in places)
        partition_of = DefaultPartitioner()
        chosen = {partition_of(key, numbers, numbers) for key in self._keys}
        consumer.assign([TopicPartition(self._topic, number) for number in sorted(chosen)])
        self._follower = Follower(consumer, self._take)
        needed = "all lists, before they are said to be gone"
        await read_to_its_end(self._follower, self._servers, self._topic, CATCH_UP_S, needed)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._follower is not None:
            await self._follower.close()

    def _take(self, record: ConsumerRecord[Any, Any]) -> None:
        shopper = self._keys.get(record.key)
        if shopper is not None:
            self._newest[shopper] = record.value


def _log_ms(value: bytes) -> int:
    try:
        return _LISTS.decode(value).freshness[0]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return -1
