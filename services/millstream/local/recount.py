"""The independent recount: what the counts must be, told from the raw topic alone.

Shares no code with the worker: its own consumer, the json module, its own idea of an event. An
event counts once per tenant, shopper and event id, in the order of the log; its item lines count
once each. Meant for topics whose records are all acceptable; what is no event is counted as
unreadable and left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from millstream.domain.brokers import Servers
from millstream.domain.errors import OperatorError
from millstream.streaming.access import access

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"
UserCount = tuple[str, str, str]
"""(tenant, shopper, event type)."""
ItemCount = tuple[str, str, str]
"""(tenant, item id, event type)."""


@dataclass(slots=True)
class Recount:
    accepted: int = 0
    repeated: int = 0
    unreadable: int = 0
    users: Counter[UserCount] = field(default_factory=Counter)
    items: Counter[ItemCount] = field(default_factory=Counter)
    _seen: set[tuple[str, str, str]] = field(default_factory=set)

    def add(self, value: bytes | None) -> None:
        try:
            event = json.loads(value or b"")
            tenant, kind = event.get("tenant", "default"), event["type"]
            known = event.get("user_id")
            shopper = known if known is not None else "~" + event["anonymous_id"]
            identity = (tenant, shopper, event["event_id"])
            lines = [line["item_id"] for line in event.get("items", [])]
        except (ValueError, KeyError, TypeError, AttributeError):
            self.unreadable += 1
            return
        if identity in self._seen:
            self.repeated += 1
            return
        self._seen.add(identity)
        self.accepted += 1
        self.users[tenant, shopper, kind] += 1
        self.items.update((tenant, item_id, kind) for item_id in lines)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost` and `doubled` are events; the `_lines` are item lines. All but accepted must be 0."""

    accepted: int
    lost: int
    doubled: int
    lost_lines: int
    doubled_lines: int


def compare(
    recount: Recount, users: Mapping[UserCount, int], items: Mapping[ItemCount, int]
) -> Verdict:
    """`users` and `items` are all counts the store holds; what the topic lacks is doubled."""
    lost, doubled = differences(recount.users, users)
    lost_lines, doubled_lines = differences(recount.items, items)
    return Verdict(recount.accepted, lost, doubled, lost_lines, doubled_lines)


def differences(
    expected: Mapping[tuple[str, str, str], int], stored: Mapping[tuple[str, str, str], int]
) -> tuple[int, int]:
    """(missing, surplus), each summed over the keys that differ."""
    missing = surplus = 0
    for key in expected.keys() | stored.keys():
        difference = stored.get(key, 0) - expected.get(key, 0)
        missing += max(0, -difference)
        surplus += max(0, difference)
    return missing, surplus


async def read_values(
    servers: Servers, topic: str, ends: Mapping[int, int], timeout_s: float = 60.0
) -> AsyncIterator[bytes | None]:
    """What `read_records` gives, without places and times."""
    async for record in read_records(servers, topic, ends, timeout_s):
        yield record.value


async def read_records(
    servers: Servers, topic: str, ends: Mapping[int, int], timeout_s: float = 60.0
) -> AsyncIterator[Record]:
    """The records from the start of each partition up to the offset in `ends`, exclusive.

    The caller names the ends, because the embedded broker's own are wrong. Raises TimeoutError
    when nothing comes for `timeout_s` before all ends are reached."""
    places = [TopicPartition(topic, number) for number, end in ends.items() if end > 0]
    if not places:
        return
    consumer = AIOKafkaConsumer(**access(servers), group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        open_places = set(places)
        while open_places:
            batches = await consumer.getmany(*open_places, timeout_ms=int(timeout_s * 1000))
            if not batches:
                raise TimeoutError(f"{len(open_places)} partitions end before the offsets given")
            for place, records in batches.items():
                for record in records:
                    if record.offset < ends[place.partition]:
                        yield record
                if records[-1].offset >= ends[place.partition] - 1:
                    open_places.discard(place)
    finally:
        await consumer.stop()


async def recount_topic(
    servers: Servers, topic: str, ends: Mapping[int, int], timeout_s: float = 60.0
) -> Recount:
    """Raises TimeoutError as `read_values` does."""
    recount = Recount()
    async for value in read_values(servers, topic, ends, timeout_s):
        recount.add(value)
    return recount


async def broker_ends(servers: Servers, topic: str) -> dict[int, int]:
    """The next offset of each partition as the broker tells it: too low on the embedded one."""
    consumer = AIOKafkaConsumer(topic, **access(servers), group_id=None)
    await consumer.start()
    try:
        told = await consumer.end_offsets(list(consumer.assignment()))
    finally:
        await consumer.stop()
    return {place.partition: end for place, end in told.items()}


def check_ends(topic: str, sent: Mapping[int, int], told: Mapping[int, int]) -> None:
    """Raises OperatorError where the log ends elsewhere than after the last record whose place
    the sender was told: a recount up to `sent` would then not be one of the log."""
    differing = {
        partition: told.get(partition, 0) - sent.get(partition, 0)
        for partition in sorted(sent.keys() | told.keys())
        if told.get(partition, 0) != sent.get(partition, 0)
    }
    if differing:
        places = ", ".join(f"{more:+d} on partition {p}" for p, more in differing.items())
        raise OperatorError(
            f"topic {topic}",
            f"a log with other records than were acknowledged: {places}",
            "the records of this run, each once",
            "See that nothing else writes to the topic, and run it again",
        )
