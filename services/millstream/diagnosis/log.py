"""The broker: reachable, its topics as deploy/topics.yaml has them, its records in their places."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from millstream.diagnosis.check import Check, Verdict, examined, not_examined
from millstream.diagnosis.clocks import newest_record_check
from millstream.diagnosis.placement import NAME as KEYS
from millstream.diagnosis.placement import Placed, placement_check
from millstream.domain.clock import Clock
from millstream.domain.errors import OperatorError
from millstream.settings import ConnectionSettings
from millstream.streaming.access import access
from millstream.streaming.log_settings import REPLICATE, require_events_log
from millstream.streaming.starting import started
from millstream.streaming.topic_admin import check_topics, partitions_of
from millstream.streaming.topics import EVENTS, read_topics

BROKER, TOPICS, CLOCK = "broker", "topics", "clock of the log"
SETTINGS = "settings of the events log"
SAMPLE = 200
"""Newest records looked at in each partition."""
SAMPLE_S = 5.0
SILENCE_MS = 1_000
ANSWER_MS = 5_000


async def log_checks(
    settings: ConnectionSettings, *, replay: bool, partitions: int | None, clock: Clock
) -> list[Check]:
    mend = "Check KAFKA_BOOTSTRAP_SERVERS, and that the cluster runs"
    broker = await examined(BROKER, _broker(settings), mend)
    if broker.verdict is Verdict.BAD:
        away = "the broker does not answer"
        return [broker, *(not_examined(name, away) for name in (TOPICS, SETTINGS, KEYS, CLOCK))]
    topics = await examined(TOPICS, _topics(settings, replay, partitions))
    if topics.verdict is Verdict.BAD:
        wrong = "the topics are not right"
        return [broker, topics, *(not_examined(name, wrong) for name in (SETTINGS, KEYS, CLOCK))]
    trusted = await examined(SETTINGS, _trusted(settings))
    try:
        sample, found = await sample_records(settings)
    except (KafkaError, OperatorError) as error:
        unread = f"reading the events fails ({type(error).__name__})"
        return [broker, topics, trusted, *(not_examined(name, unread) for name in (KEYS, CLOCK))]
    newest = max((record.log_ms for record in sample), default=None)
    return [
        broker,
        topics,
        trusted,
        placement_check(sample, found),
        newest_record_check(CLOCK, newest, clock()),
    ]


async def _broker(settings: ConnectionSettings) -> Check:
    servers = settings.brokers
    admin = AIOKafkaAdminClient(**access(servers), request_timeout_ms=ANSWER_MS)
    try:
        await started(admin, servers)
        cluster = await admin.describe_cluster()
    except (KafkaError, OSError, TimeoutError) as error:
        raise OperatorError(
            "Kafka",
            f"{type(error).__name__} from {servers}",
            "a cluster that answers",
            "Check KAFKA_BOOTSTRAP_SERVERS",
        ) from error
    finally:
        await admin.close()
    return Check(BROKER, Verdict.OK, f"{len(cluster['brokers'])} broker(s) at {servers}")


async def _topics(settings: ConnectionSettings, replay: bool, partitions: int | None) -> Check:
    specs = read_topics()
    await check_topics(
        settings.brokers,
        specs,
        prefix=settings.topic_prefix,
        replay=replay,
        partitions=partitions,
    )
    return Check(TOPICS, Verdict.OK, f"{len(specs)} topics as deploy/topics.yaml has them")


async def _trusted(settings: ConnectionSettings) -> Check:
    """As a recommender looks at them before it starts."""
    doubts = await require_events_log(
        settings.brokers,
        settings.topic(EVENTS),
        idempotence=settings.kafka_idempotence,
    )
    if doubts:
        return Check(SETTINGS, Verdict.WARNING, "; ".join(doubts), REPLICATE)
    return Check(SETTINGS, Verdict.OK, "as counting needs them")


async def sample_records(settings: ConnectionSettings) -> tuple[list[Placed], int]:
    """The newest SAMPLE records or more of each partition of the events topic, as far as they come
    within SAMPLE_S, and the number of partitions. In no group; raises KafkaError, OperatorError."""
    servers = settings.brokers
    places = await partitions_of(servers, settings.topic(EVENTS))
    consumer = AIOKafkaConsumer(
        **access(servers),
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        starts = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        for place in places:
            consumer.seek(place, max(starts[place], ends[place] - SAMPLE))
        return await _read(consumer, len(places) * SAMPLE), len(places)
    finally:
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, enough: int) -> list[Placed]:
    """Until nothing comes for SILENCE_MS: the embedded broker's end offsets are too low to ask."""
    deadline = asyncio.get_running_loop().time() + SAMPLE_S
    sample: list[Placed] = []
    while len(sample) < enough and asyncio.get_running_loop().time() < deadline:
        batches = await consumer.getmany(timeout_ms=SILENCE_MS)
        if not batches:
            break
        for records in batches.values():
            sample += [Placed(r.partition, r.key, r.timestamp) for r in records]
    return sample
