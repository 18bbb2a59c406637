"""Events and lists as attribution reads them: no group, all partitions, its own positions."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from millstream.attribution.order import EVER, NEVER, Waiting
from millstream.domain.acceptance import is_late
from millstream.domain.decode import decode
from millstream.domain.errors import Halt, Refused
from millstream.domain.events import Event
from millstream.domain.identity import ShopperName
from millstream.domain.lists import RecommendationList
from millstream.streaming.decode import as_log_record

POLL_MS = 200
FETCH_MS = 100
SETTLED_S = 0.5
"""What came of one topic waits so long for what the other may have from before it: the embedded
broker tells too low an end, and several fetches fit in."""
MOST_WAITING = 20_000
"""Records of one topic and partition in memory; past that it is not read on for a while."""


class Shown(NamedTuple):
    name: ShopperName
    made: RecommendationList


class Erased(NamedTuple):
    name: ShopperName


class Acted(NamedTuple):
    name: ShopperName
    event: Event
    log_ms: int


_list = msgspec.json.Decoder(RecommendationList).decode


@dataclass
class Partition:
    number: int
    lists: Waiting[Shown | Erased]
    events: Waiting[Acted]
    stored: tuple[int, int]
    """The positions that the store has: those below run ahead where nothing could be read."""

    @property
    def positions(self) -> tuple[int, int]:
        """Of lists and events: the offset after what was handled."""
        return self.lists.next, self.events.next


class TwoTopics:
    """`consumer` has started, commits and resets nothing; it belongs to the caller. `positions`:
    per partition where lists and events go on."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        lists: str,
        events: str,
        positions: Mapping[int, tuple[int, int]],
    ) -> None:
        self._consumer = consumer
        self._lists = lists
        self._events = events
        self.partitions = [
            Partition(number, Waiting(of_lists), Waiting(of_events), (of_lists, of_events))
            for number, (of_lists, of_events) in sorted(positions.items())
        ]
        self._by_number = {partition.number: partition for partition in self.partitions}
        self._fresh: dict[TopicPartition, deque[tuple[float, int]]] = defaultdict(deque)
        self._settled_ms: dict[TopicPartition, float] = defaultdict(lambda: NEVER)
        consumer.assign([place for places in self._places() for place in places])
        for place, _, waiting in self._waiting():
            consumer.seek(place, waiting.next)

    def standing(self) -> Iterable[tuple[str, int, Waiting[Any]]]:
        """Topic, partition, and what of it waits, with the log's end as the last `read` saw it."""
        return ((place.topic, place.partition, waiting) for place, _, waiting in self._waiting())

    async def read(self) -> None:
        """What has come, within POLL_MS. Raises Halt where the log lacks what comes next."""
        self._hold_back()
        try:
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS)
        except OffsetOutOfRangeError as error:
            raise Halt(_gone(error.args[0])) from None
        for place, records in fetched.items():
            partition = self._by_number[place.partition]
            if place.topic == self._lists:
                partition.lists.records += _of_lists(records)
                self._note(place, partition.lists)
            else:
                partition.events.records += _of_events(records)
                self._note(place, partition.events)
        await self._look_for_ends()

    def _note(self, place: TopicPartition, waiting: Waiting[Any]) -> None:
        if waiting.records:
            self._fresh[place].append((monotonic(), waiting.records[-1][1]))

    async def _look_for_ends(self) -> None:
        """Asked after the fetch: a list was in the log before what was done with it came."""
        ends = await self._consumer.end_offsets([place for place, _, _ in self._waiting()])
        for place, other, waiting in self._waiting():
            end = max(ends[place], self._consumer.highwater(place) or 0)
            at = await self._consumer.position(place)
            waiting.end = end
            waiting.sure_to_ms = self._settled(other) if at >= end else NEVER
            if at >= end and not waiting.records:
                waiting.next = max(waiting.next, at)  # what could not be read is passed over

    def _settled(self, place: TopicPartition) -> float:
        """The time up to which what came of it has waited; all time where nothing waits."""
        fresh, before = self._fresh[place], monotonic() - SETTLED_S
        while fresh and fresh[0][0] <= before:
            self._settled_ms[place] = fresh.popleft()[1]
        return self._settled_ms[place] if fresh else EVER

    def _hold_back(self) -> None:
        for place, _, waiting in self._waiting():
            if len(waiting.records) > MOST_WAITING:
                self._consumer.pause(place)
            else:
                self._consumer.resume(place)

    def _places(self) -> Iterable[tuple[TopicPartition, TopicPartition]]:
        for partition in self.partitions:
            number = partition.number
            yield TopicPartition(self._lists, number), TopicPartition(self._events, number)

    def _waiting(self) -> Iterable[tuple[TopicPartition, TopicPartition, Waiting[Any]]]:
        """Each place, its like in the other topic, and what waits of it."""
        for partition, (of_lists, of_events) in zip(self.partitions, self._places(), strict=True):
            yield of_lists, of_events, partition.lists
            yield of_events, of_lists, partition.events


def _of_lists(records: Sequence[Any]) -> Iterable[tuple[int, int, Shown | Erased]]:
    """A tombstone forgets its shopper at the time of the record."""
    for record in records:
        if record.value is None:
            tenant, _, shopper = (record.key or b"").decode(errors="replace").partition(":")
            yield record.offset, record.timestamp, Erased((tenant, shopper))
            continue
        try:
            made = _list(record.value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
        log_ms = int(made.log_time.timestamp() * 1000)
        yield record.offset, log_ms, Shown((made.tenant, made.user), made)


def _of_events(records: Sequence[Any]) -> Iterable[tuple[int, int, Acted]]:
    """Those that recommenders take; repeats among them."""
    for raw in records:
        record = as_log_record(raw)
        try:
            event = decode(record.value, record.headers, record.log_ms)
        except Refused:
            continue
        if not is_late(event, record.log_ms):
            name = (event.tenant, event.shopper)
            yield record.offset, record.log_ms, Acted(name, event, record.log_ms)


def _gone(asked: Mapping[TopicPartition, int]) -> str:
    places = ", ".join(f"{p.topic} partition {p.partition} at {at}" for p, at in asked.items())
    return (
        f"the log no longer has, or does not yet have, the next record ({places}): retention has"
        " passed attribution, or a topic was created anew; see"
        " deploy/runbooks/attribution-behind.md"
    )
