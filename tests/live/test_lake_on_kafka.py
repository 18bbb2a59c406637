"""What only a real log does: transactions, retention, more partitions, topics made anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete

from millstream.domain.errors import Halt
from millstream.lake.settings import LakeSettings
from millstream.lake.wiring import run
from millstream.local.kafka import ApacheKafka
from millstream.settings import load
from millstream.stores.lake import offsets, records
from millstream.streaming.topics import ERASURES, EVENTS, REVIEW_VERDICTS

pytestmark = pytest.mark.live


@pytest.fixture
async def admin(apache_kafka: ApacheKafka) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=apache_kafka.bootstrap_servers)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def topic(admin: AIOKafkaAdminClient, prefix: str) -> str:
    names = [f"{prefix}{name}" for name in (EVENTS, ERASURES, REVIEW_VERDICTS)]
    await admin.create_topics(
        [NewTopic(name, num_partitions=1, replication_factor=1) for name in names]
    )
    return names[0]


def settings_of(broker: ApacheKafka, prefix: str, root: Path, **more: object) -> LakeSettings:
    return load(
        LakeSettings,
        kafka_bootstrap_servers=broker.bootstrap_servers,
        topic_prefix=prefix,
        lake_dir=root,
        flush_seconds=0.05,
        **more,
    )


@asynccontextmanager
async def lake(settings: LakeSettings) -> AsyncIterator[None]:
    """Runs meanwhile, then is told to stop and must do so; its errors are raised here."""
    stop = asyncio.Event()
    running = asyncio.create_task(run(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)


async def until_stored(root: Path, topic: str, ends: dict[int, int]) -> None:
    async with asyncio.timeout(30):
        while offsets(root, topic) != ends:  # noqa: ASYNC110  a thread writes the files
            await asyncio.sleep(0.02)


async def send(broker: ApacheKafka, topic: str, values: list[bytes], partition: int = 0) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=partition)


async def transact(broker: ApacheKafka, topic: str, value: bytes, *, commit: bool) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, transactional_id=f"{topic}.writer"
    )
    async with producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, value, partition=0)
        await (producer.commit_transaction() if commit else producer.abort_transaction())


def values(root: Path, topic: str) -> list[tuple[int, bytes | None]]:
    return [(found.offset, found.value) for found in records(root, topic)]


async def test_markers_and_what_was_aborted_leave_holes_and_no_rows(
    apache_kafka: ApacheKafka, prefix: str, topic: str, tmp_path: Path
) -> None:
    settings = settings_of(apache_kafka, prefix, tmp_path)
    async with lake(settings):
        await transact(apache_kafka, topic, b"a", commit=True)  # 0, marker 1
        await until_stored(tmp_path, topic, {0: 1})
        await transact(apache_kafka, topic, b"gone", commit=False)  # 2, marker 3
    async with lake(settings):
        await transact(apache_kafka, topic, b"b", commit=True)  # 4, marker 5
        await until_stored(tmp_path, topic, {0: 5})
    assert values(tmp_path, topic) == [(0, b"a"), (4, b"b")]


async def test_retention_that_passed_the_lake_halts_it(
    apache_kafka: ApacheKafka,
    admin: AIOKafkaAdminClient,
    prefix: str,
    topic: str,
    tmp_path: Path,
) -> None:
    settings = settings_of(apache_kafka, prefix, tmp_path / "lake")
    async with lake(settings):
        await send(apache_kafka, topic, [b"0", b"1"])
        await until_stored(tmp_path / "lake", topic, {0: 2})
    await send(apache_kafka, topic, [b"2", b"3", b"4"])
    deleted = {TopicPartition(topic, 0): RecordsToDelete(before_offset=2)}
    await admin.delete_records(deleted)
    async with lake(settings):  # it has all before 2, so nothing is missing
        await until_stored(tmp_path / "lake", topic, {0: 5})
    await send(apache_kafka, topic, [b"5", b"6", b"7"])
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=7)})
    with pytest.raises(Halt, match="needs offset 5 next, but the log starts at 7"):
        await asyncio.wait_for(run(settings), 30)

    fresh = tmp_path / "fresh"
    with pytest.raises(Halt, match="NEW_PARTITION_AT=log-start"):
        await asyncio.wait_for(run(settings_of(apache_kafka, prefix, fresh)), 30)
    at_start = settings_of(apache_kafka, prefix, fresh, new_partition_at="log-start")
    async with lake(at_start):
        await until_stored(fresh, topic, {0: 8})
    assert values(fresh, topic) == [(7, b"7")]


async def test_a_topic_made_anew_halts_the_lake(
    apache_kafka: ApacheKafka,
    admin: AIOKafkaAdminClient,
    prefix: str,
    topic: str,
    tmp_path: Path,
) -> None:
    settings = settings_of(apache_kafka, prefix, tmp_path)
    async with lake(settings):
        await send(apache_kafka, topic, [b"0", b"1", b"2"])
        await until_stored(tmp_path, topic, {0: 3})
    await admin.delete_topics([topic])
    async with asyncio.timeout(20):
        while topic in await admin.list_topics():  # noqa: ASYNC110  the broker's work
            await asyncio.sleep(0.05)
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await send(apache_kafka, topic, [b"x"])
    with pytest.raises(Halt, match="topic was created anew"):  # shorter than before
        await asyncio.wait_for(run(settings), 30)
    await send(apache_kafka, topic, [b"y", b"z", b"more"])
    with pytest.raises(Halt, match="topic was created anew"):  # longer than before
        await asyncio.wait_for(run(settings), 30)
    assert values(tmp_path, topic) == [(0, b"0"), (1, b"1"), (2, b"2")]


async def test_partitions_that_are_added_are_read_from_their_start(
    apache_kafka: ApacheKafka,
    admin: AIOKafkaAdminClient,
    prefix: str,
    topic: str,
    tmp_path: Path,
) -> None:
    async with lake(settings_of(apache_kafka, prefix, tmp_path)):
        await send(apache_kafka, topic, [b"0"])
        await until_stored(tmp_path, topic, {0: 1})
        await admin.create_partitions({topic: NewPartitions(3)})
        await send(apache_kafka, topic, [b"1", b"2"], partition=2)
        await send(apache_kafka, topic, [b"3"])
        await until_stored(tmp_path, topic, {0: 2, 2: 2})
    assert sorted(value or b"" for _, value in values(tmp_path, topic)) == [b"0", b"1", b"2", b"3"]
