"""Erasing on Apache Kafka, whose clock is the log's: the mark is the log time of the event."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaConsumer

from millstream.domain.clock import wall_clock
from millstream.domain.decode import decode
from millstream.domain.errors import OperatorError
from millstream.domain.events import EventType
from millstream.domain.lists import Origin
from millstream.local.kafka import ApacheKafka
from millstream.privacy.announce import Announcer, Topics
from millstream.privacy.following import ErasureFollower, load_erasures
from millstream.privacy.lists import ListWatch
from millstream.streaming.producer import open_producer
from millstream.streaming.topic_admin import create_topics, partitions_of
from millstream.streaming.topics import ERASURES, EVENTS, RECOMMENDATIONS, read_topics

ANN = ("shop", "ann")
AN_HOUR_MS = 3_600_000


async def test_the_mark_is_the_broker_s_time_whatever_our_clock_says(
    apache_kafka: ApacheKafka, prefix: str
) -> None:
    servers = apache_kafka.bootstrap_servers
    await create_topics(servers, read_topics(), prefix=prefix, partitions=3)
    topics = Topics(f"{prefix}{EVENTS}", f"{prefix}{ERASURES}", f"{prefix}{RECOMMENDATIONS}")
    before = wall_clock()
    async with open_producer(servers, client_id="t") as producer:
        announcer = Announcer(producer, topics, lambda: wall_clock() - AN_HOUR_MS)
        async with ListWatch(servers, topics.lists, [ANN]) as watch:
            [first] = await announcer.ask([ANN])
            [second] = await announcer.ask([ANN])
            await announcer.take_back_list(second)
            assert watch.remaining({ANN: second.mark_ms}) == 0
    assert before <= first.mark_ms < second.mark_ms <= wall_clock()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, group_id=None, auto_offset_reset="earliest"
    )
    async with consumer:
        consumer.assign(await partitions_of(servers, topics.events))
        records = [await consumer.getone(), await consumer.getone()]
    assert [record.timestamp for record in records] == [first.mark_ms, second.mark_ms]
    assert [Origin(r.topic, r.partition, r.offset) for r in records] == [
        first.origin,
        second.origin,
    ]
    event = decode(records[0].value, (), records[0].timestamp)
    assert (event.type, event.tenant, event.shopper) == (EventType.ERASE, *ANN)
    assert await load_erasures(servers, topics.erasures) == {ANN: second.mark_ms}


async def test_a_missing_topic_is_told_and_not_created(
    apache_kafka: ApacheKafka, prefix: str
) -> None:
    for _ in range(2):
        with pytest.raises(OperatorError, match="millstream init"):
            async with ErasureFollower(apache_kafka.bootstrap_servers, f"{prefix}{ERASURES}"):
                pass
