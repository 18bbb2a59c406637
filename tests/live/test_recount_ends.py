"""A broker that tells its ends is asked for them before a recount is believed."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer

from millstream.domain.errors import OperatorError
from millstream.local.kafka import ApacheKafka
from millstream.local.recount import broker_ends, check_ends
from millstream.streaming.topic_admin import create_topics
from millstream.streaming.topics import EVENTS, read_topics

pytestmark = pytest.mark.live


async def test_a_record_of_somebody_else_is_noticed(apache_kafka: ApacheKafka, prefix: str) -> None:
    where, topic = apache_kafka.bootstrap_servers, f"{prefix}{EVENTS}"
    await create_topics(where, read_topics(), prefix=prefix, replay=True)
    sent: dict[int, int] = {}
    async with AIOKafkaProducer(bootstrap_servers=where, enable_idempotence=True) as producer:
        for number in range(20):
            told = await producer.send_and_wait(topic, b"{}", key=b"%d" % number)
            sent[told.partition] = told.offset + 1
        ends = await broker_ends(where, topic)
        assert len(ends) == 12
        check_ends(topic, sent, ends)
        stray = await producer.send_and_wait(topic, b"{}", key=b"stray")
    with pytest.raises(OperatorError, match=rf"\+1 on partition {stray.partition};"):
        check_ends(topic, sent, await broker_ends(where, topic))
