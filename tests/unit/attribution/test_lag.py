"""How far attribution is behind, in records and in seconds, by topic and partition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord
from prometheus_client import REGISTRY
from tests.builders import event
from tests.unit.attribution.test_join import NOON_MS, made
from tests.unit.attribution.test_pipeline import Store

from millstream.attribution.log import SETTLED_S, TwoTopics
from millstream.attribution.order import EVER, Waiting, due
from millstream.attribution.pipeline import Stages, run
from millstream.stores.attributions import Attributions

LISTS, EVENTS = "lag.lists", "lag.events"
Raw = Any


def shown(name: str, topic: str) -> float | None:
    labels = {"topic": topic, "partition": "3"}
    return REGISTRY.get_sample_value(f"millstream_attribution_lag_{name}", labels)


def test_the_oldest_that_waits_says_how_far_it_is_behind() -> None:
    events: Waiting[str] = Waiting(4, EVER, end=4)
    assert (events.behind, events.age_ms(9_000)) == (0, 0)
    events.end = 7
    assert (events.behind, events.age_ms(9_000)) == (3, None), "nothing is known of them"
    events.records.extend([(4, 2_000, "a"), (5, 8_000, "b"), (6, 8_500, "c")])
    assert events.age_ms(9_000) == 7_000
    assert list(due(Waiting(0, EVER), events, 1)) == ["a"]
    assert (events.behind, events.age_ms(9_000)) == (2, 1_000)
    events.records.clear()
    assert events.age_ms(9_000) == 7_000, "they were not fetched: since the one handled last"
    assert events.age_ms(1_000) == 0, "clocks of brokers run ahead"
    events.next = 7
    assert (events.behind, events.age_ms(9_000)) == (0, 0), "a quiet topic is no lag"


class Broker:
    """Partition 3 of both topics, as a consumer sees it: so many records a fetch."""

    def __init__(self, topics: dict[str, list[Raw]], a_fetch: int) -> None:
        self._topics = topics
        self._a_fetch = a_fetch
        self._at: dict[TopicPartition, int] = {}
        self.fetched: Callable[[], None] = lambda: None

    def assign(self, places: Iterable[TopicPartition]) -> None:
        self._at = dict.fromkeys(places, 0)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._at[place] = offset

    def pause(self, place: TopicPartition) -> None:
        raise AssertionError(f"{place}: nothing here is too much")

    def resume(self, place: TopicPartition) -> None:
        pass

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Raw]]:
        assert timeout_ms
        await asyncio.sleep(0)
        self.fetched()
        found = {
            place: self._topics[place.topic][at : at + self._a_fetch]
            for place, at in self._at.items()
        }
        for place, records in found.items():
            self._at[place] += len(records)
        return found

    async def end_offsets(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: len(self._topics[place.topic]) for place in places}

    def highwater(self, place: TopicPartition) -> int:
        return len(self._topics[place.topic])

    async def position(self, place: TopicPartition) -> int:
        return self._at[place]


def raw(topic: str, offset: int, log_ms: int, value: bytes) -> Raw:
    return ConsumerRecord(topic, 3, offset, log_ms, 1, b"shop:ann", value, None, 0, len(value), ())


async def test_each_turn_tells_both_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    views = [
        raw(EVENTS, n, NOON_MS + n * 1_000, msgspec.json.encode(event(f"e{n}", at_ms=NOON_MS)))
        for n in range(4)
    ]
    answer = raw(LISTS, 0, NOON_MS + 9, msgspec.json.encode(made("l1", "a", at_ms=NOON_MS)))
    broker, store = Broker({EVENTS: views, LISTS: [answer]}, a_fetch=2), Store()
    stop = asyncio.Event()
    told: list[tuple[float | None, ...]] = []
    seconds = [100.0]

    def next_turn() -> None:
        told.append(
            tuple(shown(name, of) for of in (LISTS, EVENTS) for name in ("messages", "seconds"))
        )
        seconds[0] += 2 * SETTLED_S
        if len(told) == 4:
            stop.set()

    broker.fetched = next_turn
    monkeypatch.setattr("millstream.attribution.log.monotonic", lambda: seconds[0])
    log = TwoTopics(cast(AIOKafkaConsumer, broker), LISTS, EVENTS, {3: (0, 0)})
    await run(Stages(log, cast(Attributions, store), lambda: NOON_MS + 60_000), stop)
    assert told == [
        (None, None, None, None),
        (0, 0, 3, 59),  # the first event is counted after the list that answers it
        (0, 0, 2, 58),  # the second has waited for lists; those fetched after it have not yet
        (0, 0, 0, 0),
    ]
