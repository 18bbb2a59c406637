"""Apache Kafka as we start it: the log survives restarts, topics are what their file says."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from millstream.domain.errors import OperatorError
from millstream.local.kafka import ApacheKafka
from millstream.streaming.topic_admin import check_topics, create_topics
from millstream.streaming.topics import EVENTS, TopicSpec, read_topics

pytestmark = pytest.mark.live
OLD_MS = 1_291_190_400_000  # December 2010


@pytest.fixture
def own_node(live_kafka_possible: None) -> Iterator[ApacheKafka]:
    with ApacheKafka({"num.io.threads": "2"}) as node:
        yield node


async def produce(where: str, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=where, enable_idempotence=True) as producer:
        for value in values:
            await producer.send_and_wait(
                topic, value, key=b"k", headers=[("ce_id", value)], timestamp_ms=OLD_MS
            )


async def consume(where: str, topic: str, count: int) -> list[ConsumerRecord[bytes, bytes]]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=where, auto_offset_reset="earliest")
    async with consumer, asyncio.timeout(30):
        return [await consumer.getone() for _ in range(count)]


async def test_live_events_take_the_brokers_time_and_replayed_ones_keep_theirs(
    apache_kafka: ApacheKafka, prefix: str
) -> None:
    where = apache_kafka.bootstrap_servers
    before_ms = int(time.time() * 1000)
    for replay, name in ((False, f"{prefix}live."), (True, f"{prefix}replay.")):
        await create_topics(where, read_topics(), prefix=name, replay=replay)
        await produce(where, f"{name}{EVENTS}", [b"1"])
        (record,) = await consume(where, f"{name}{EVENTS}", 1)
        assert (record.key, record.value, record.headers) == (b"k", b"1", (("ce_id", b"1"),))
        assert (record.timestamp == OLD_MS) is replay
        assert (record.timestamp >= before_ms) is not replay


async def test_topics_are_created_once_and_compared_after(
    apache_kafka: ApacheKafka, prefix: str
) -> None:
    where, specs = apache_kafka.bootstrap_servers, read_topics()
    created = await create_topics(where, specs, prefix=prefix)
    assert set(created) == {f"{prefix}{spec.name}" for spec in specs}
    assert await create_topics(where, specs, prefix=prefix) == ()
    await check_topics(where, specs, prefix=prefix)
    with pytest.raises(OperatorError, match="got 12 partitions; expected 6"):
        await create_topics(where, specs, prefix=prefix, partitions=6)
    with pytest.raises(OperatorError, match=r"type=LogAppendTime; expected .*CreateTime"):
        await check_topics(where, specs, prefix=prefix, replay=True)
    with pytest.raises(OperatorError, match="no such topic"):
        await check_topics(where, specs, prefix=f"{prefix}none.")


async def test_another_cleanup_policy_is_told(apache_kafka: ApacheKafka, prefix: str) -> None:
    where = apache_kafka.bootstrap_servers

    def events(policy: tuple[str, ...]) -> TopicSpec:
        return TopicSpec(  # as read_topics makes it, but for the policy
            name="a.v1",
            content="c",
            key="k",
            cleanup_policy=policy,  # type: ignore[arg-type]
            partitions=1,
            replication_factor=-1,
            max_message_bytes=1 << 20,
        )

    await create_topics(where, [events(("delete",))], prefix=prefix)
    with pytest.raises(OperatorError, match=r"got cleanup\.policy=delete; expected .*=compact"):
        await create_topics(where, [events(("compact",))], prefix=prefix)


async def test_the_log_survives_a_stop_and_a_kill(own_node: ApacheKafka, prefix: str) -> None:
    where, topic, pids = own_node.bootstrap_servers, f"{prefix}{EVENTS}", {own_node.pid}
    await create_topics(where, read_topics(), prefix=prefix)
    written: list[bytes] = []
    for end in (own_node.stop, own_node.kill):
        fresh = [f"{end.__name__} {n}".encode() for n in range(50)]
        await produce(where, topic, fresh)
        written += fresh
        await asyncio.to_thread(end)
        await asyncio.to_thread(own_node.start)
        pids.add(own_node.pid)
        records = await consume(where, topic, len(written))
        assert [record.value for record in records] == written
        assert [record.offset for record in records] == list(range(len(written)))
    assert len(pids) == 3
    await asyncio.to_thread(own_node.close)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not own_node.directory.exists()
