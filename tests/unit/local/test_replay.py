"""The replay against a broker and a recommender that live in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.events import Event, EventType, Line
from millstream.domain.lists import Origin, RankedItem, RecommendationList, Source
from millstream.local.pacing import Pacing
from millstream.local.replay import Replay
from millstream.local.scoring import Scorer, by_item
from millstream.local.storefront import SentRecord, Storefront, Topics

START = datetime(2015, 5, 3, tzinfo=UTC)
PARTITIONS = 2


@dataclass(frozen=True)
class Place:
    partition: int
    offset: int


@dataclass
class Broker:
    """Takes records in order; every chunk of events is answered by one list per shopper."""

    refused: frozenset[str] = frozenset()
    broken: bool = False
    silent: bool = False
    most_waiting: int = 0
    replay: Replay | None = None
    events: list[tuple[Event, Place]] = field(default_factory=list)
    records: list[tuple[str, bytes, int, dict[str, bytes]]] = field(default_factory=list)
    _chunk: list[tuple[Event, Place]] = field(default_factory=list)
    _answering: asyncio.Task[None] | None = None

    async def send(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        *,
        timestamp_ms: int,
        headers: Sequence[tuple[str, bytes]],
    ) -> asyncio.Future[SentRecord]:
        self.records.append((topic, key, timestamp_ms, dict(headers)))
        future: asyncio.Future[SentRecord] = asyncio.get_running_loop().create_future()
        if self.broken:
            future.set_exception(ConnectionError("gone"))
        elif topic == "events":
            event = msgspec.json.decode(value, type=Event)
            partition = sum(key) % PARTITIONS
            place = Place(partition, sum(at.partition == partition for _, at in self.events))
            self.events.append((event, place))
            self._chunk.append((event, place))
            self.most_waiting = max(self.most_waiting, len(self._chunk))
            future.set_result(place)
            if not self.silent and self._answering is None:
                self._answering = asyncio.create_task(self._answer())
        else:
            future.set_result(Place(0, 0))
        return future

    async def _answer(self) -> None:
        while self._chunk:
            for _ in range(20):  # loop turns in which the storefront goes on sending
                await asyncio.sleep(0)
            chunk, self._chunk = self._chunk, []
            newest = {event.shopper: (event, place) for event, place in chunk}
            for event, place in newest.values():
                if event.event_id not in self.refused and self.replay is not None:
                    self.replay.listed(_list_for(event, place))
        self._answering = None


def _list_for(event: Event, place: Place) -> RecommendationList:
    """Recommends the item whose number follows that of the event's item."""
    following = str(int(event.items[0].item_id) + 1)
    return RecommendationList(
        recommendation_id=event.event_id,
        tenant="default",
        user=event.shopper,
        variant="all",
        items=(RankedItem(following, 1.0, Source.COVISITED, ""),),
        model_version="0",
        settings_digest="",
        origin=Origin("events", place.partition, place.offset),
        event_time=event.time,
        log_time=event.time,
        published_at=as_datetime(wall_clock()),
    )


def journey(users: int, items: int) -> Iterator[CatalogueItem | Event]:
    """Each shopper buys item 0, 1, 2 ..., one after the other, in turns."""
    for item in range(items):
        yield CatalogueItem(item_id=str(item), added_at=START)
        for user in range(users):
            yield Event(
                event_id=f"{user}-{item}",
                type=EventType.PURCHASE,
                time=START + timedelta(seconds=item * users + user),
                user_id=f"u{user}",
                items=(Line(str(item)),),
            )


def replay_on(broker: Broker, scorer: Scorer, pacing: Pacing | None = None) -> Replay:
    storefront = Storefront(broker, Topics("events", "catalogue"), wall_clock)
    broker.replay = Replay(storefront, scorer, clock=wall_clock, pacing=pacing)
    return broker.replay


async def test_every_list_before_a_first_event_has_answered_the_one_before() -> None:
    broker, scorer = Broker(), Scorer(by_item)
    outcome = await replay_on(broker, scorer).run(journey(users=5, items=30))
    assert (outcome.sent, outcome.lists, outcome.unanswered) == (150, 150, 0)
    assert outcome.shoppers_left_behind == 0
    assert outcome.event_to_list_p99_ms is not None
    score = scorer.score()
    assert (score.overall.cases, score.cases_without_list) == (145, 5)
    assert score.overall.recall_at_20 == 1.0, "a stale list stood before an event"


async def test_records_carry_key_own_time_and_sent_at() -> None:
    broker = Broker()
    before_ms = wall_clock()
    await replay_on(broker, Scorer(by_item)).run(journey(users=1, items=1))
    (entry, event) = broker.records
    assert entry[:3] == ("catalogue", b"default:0", int(START.timestamp() * 1000))
    assert event[:3] == ("events", b"default:u0", int(START.timestamp() * 1000))
    assert before_ms <= int(event[3]["sent_at"].decode("ascii")) <= wall_clock()


async def test_the_window_bounds_what_waits() -> None:
    broker = Broker()
    pacing = Pacing(least_window=4, most_window=4)
    await replay_on(broker, Scorer(by_item), pacing).run(journey(users=50, items=4))
    assert broker.most_waiting == 4


async def test_a_refused_event_holds_its_shopper_only_for_the_grace() -> None:
    broker = Broker(refused=frozenset({"0-1"}))
    replay = replay_on(broker, Scorer(by_item), Pacing(grace_ms=20))
    outcome = await replay.run(journey(users=4, items=4))
    assert (outcome.sent, outcome.unanswered, outcome.lists) == (16, 1, 15)
    assert outcome.shoppers_left_behind == 0


async def test_events_nobody_answers_stop_the_replay_with_advice() -> None:
    replay = replay_on(Broker(silent=True), Scorer(by_item), Pacing(stall_s=0.05))
    with pytest.raises(OperatorError, match=r"no list for 0\.05 s, 3 events unanswered.*doctor"):
        await replay.run(journey(users=3, items=2))


async def test_what_is_unanswered_at_the_end_is_told_not_waited_for_without_end() -> None:
    replay = replay_on(Broker(silent=True), Scorer(by_item), Pacing(stall_s=0.05))
    outcome = await replay.run(journey(users=3, items=1))
    assert (outcome.unanswered, outcome.shoppers_left_behind) == (3, 3)
    assert outcome.event_to_list_p50_ms is None


async def test_a_record_that_the_broker_does_not_take_stops_the_replay() -> None:
    replay = replay_on(Broker(broken=True), Scorer(by_item))
    with pytest.raises(ConnectionError, match="gone"):
        await replay.run(journey(users=3, items=2))


async def test_the_wanted_speed_is_kept() -> None:
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    replay = replay_on(Broker(), Scorer(by_item), Pacing(events_per_s=100))
    await replay.run(journey(users=3, items=5))
    assert loop.time() - started_s >= 0.14
