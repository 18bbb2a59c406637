"""The replayed storefront over a real log: paced by the lists that come back, then recounted.

The recommender here is a stand-in that answers each event's shopper with the best seller so far;
what is tested is the storefront's side of the wire."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import date
from itertools import islice

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.events import Event
from millstream.domain.identity import record_key
from millstream.domain.lists import (
    Origin,
    RankedItem,
    RecommendationList,
    Source,
    recommendation_id,
)
from millstream.local.list_follower import FETCH_WAIT_MS, follow_lists, lists_consumer
from millstream.local.online_retail import OnlineRetailReplay, read_invoices
from millstream.local.recount import compare, recount_topic
from millstream.local.replay import Replay
from millstream.local.scoring import Scorer, by_invoice
from millstream.local.storefront import Storefront, Topics
from millstream.local.tansu import Tansu
from millstream.streaming.topic_admin import create_topics
from millstream.streaming.topics import CATALOG, EVENTS, RECOMMENDATIONS, read_topics


async def recommend_best_seller(bootstrap_servers: str, prefix: str) -> None:
    """One list per touched shopper and chunk, until cancelled."""
    consumer = AIOKafkaConsumer(
        f"{prefix}{EVENTS}",
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, enable_idempotence=False)
    sold: Counter[str] = Counter()
    async with consumer, producer:
        while True:
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                newest: dict[str, tuple[Event, int, int]] = {}
                for record in records:
                    event = msgspec.json.decode(record.value, type=Event)
                    sold.update(line.item_id for line in event.items)
                    newest[event.shopper] = (event, record.offset, record.timestamp)
                for user, (event, offset, log_ms) in newest.items():
                    origin = Origin(place.topic, place.partition, offset)
                    answer = RecommendationList(
                        recommendation_id=recommendation_id(event.tenant, user, origin),
                        tenant=event.tenant,
                        user=user,
                        variant="all",
                        items=tuple(
                            RankedItem(item_id, float(count), Source.POPULAR, "bought most often")
                            for item_id, count in sold.most_common(20)
                        ),
                        model_version="0",
                        settings_digest="",
                        origin=origin,
                        event_time=event.time,
                        log_time=as_datetime(log_ms),
                        published_at=as_datetime(wall_clock()),
                    )
                    await producer.send(
                        f"{prefix}{RECOMMENDATIONS}",
                        msgspec.json.encode(answer),
                        record_key(event.tenant, user),
                    )


async def test_a_replay_is_answered_in_full_and_recounts_to_what_was_sent(
    tansu: Tansu, prefix: str
) -> None:
    await create_topics(tansu.bootstrap_servers, read_topics(), prefix=prefix)
    source = OnlineRetailReplay()
    stream = list(islice(source.stream(read_invoices(until=date(2010, 12, 4))), 4_000))
    events = [step for step in stream if isinstance(step, Event)]
    scorer = Scorer(by_invoice)
    producer = AIOKafkaProducer(bootstrap_servers=tansu.bootstrap_servers, enable_idempotence=False)
    async with (
        producer,
        lists_consumer(tansu.bootstrap_servers, f"{prefix}{RECOMMENDATIONS}") as consumer,
        asyncio.TaskGroup() as tasks,
    ):
        topics = Topics(f"{prefix}{EVENTS}", f"{prefix}{CATALOG}")
        replay = Replay(Storefront(producer, topics, wall_clock), scorer, clock=wall_clock)
        running = [
            tasks.create_task(recommend_best_seller(tansu.bootstrap_servers, prefix)),
            tasks.create_task(follow_lists(consumer, replay.listed)),
        ]
        outcome = await replay.run(iter(stream))
        for task in running:
            task.cancel()

    assert (outcome.sent, outcome.unanswered, outcome.shoppers_left_behind) == (len(events), 0, 0)
    assert 0 < outcome.lists <= outcome.sent
    recount = await recount_topic(tansu.bootstrap_servers, topics.events, replay.progress.ends)
    users = Counter(("default", event.shopper, event.type.value) for event in events)
    items = Counter(
        ("default", line.item_id, event.type.value) for event in events for line in event.items
    )
    verdict = compare(recount, users, items)
    assert (verdict.accepted, recount.repeated, recount.unreadable) == (len(events), 0, 0)
    assert (verdict.lost, verdict.doubled, verdict.lost_lines, verdict.doubled_lines) == (0,) * 4
    score = scorer.score()
    assert score.overall.cases > 0
    assert 0 < score.overall.recall_at_20 <= 1


async def test_ends_beyond_the_log_are_told(tansu: Tansu, prefix: str) -> None:
    await create_topics(tansu.bootstrap_servers, read_topics(), prefix=prefix)
    with pytest.raises(TimeoutError, match="1 partitions end before"):
        async with asyncio.timeout(30):
            await recount_topic(tansu.bootstrap_servers, f"{prefix}{EVENTS}", {0: 5}, timeout_s=0.5)


async def test_lists_of_a_topic_that_does_not_exist_are_refused(tansu: Tansu, prefix: str) -> None:
    with pytest.raises(OperatorError, match="millstream init"):
        async with lists_consumer(tansu.bootstrap_servers, f"{prefix}nothing"):
            pass
