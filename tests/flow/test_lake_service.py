"""The lake as a process on a broker: killed, told to stop, started again, each record once."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from millstream.domain.errors import Halt, OperatorError
from millstream.domain.log import LogRecord
from millstream.lake.settings import LakeSettings
from millstream.lake.wiring import run
from millstream.local.tansu import Tansu
from millstream.settings import load
from millstream.stores.lake import LakeWriter, Range, offsets, records

PARTITIONS = 4
PROGRAM = """
import asyncio
from millstream.lake.settings import LakeSettings
from millstream.lake.wiring import run
from millstream.settings import load
asyncio.run(run(load(LakeSettings)))
"""


@pytest.fixture
async def topic(tansu: Tansu, prefix: str) -> str:
    name = f"{prefix}shop.events.v1"
    admin = AIOKafkaAdminClient(bootstrap_servers=tansu.bootstrap_servers)
    await admin.start()
    names = (name, f"{prefix}privacy.erasures.v1", f"{prefix}reco.review.sentiment.v1")
    await admin.create_topics([NewTopic(each, PARTITIONS, replication_factor=1) for each in names])
    await admin.close()
    return name


@asynccontextmanager
async def producing(tansu: Tansu) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=tansu.bootstrap_servers, enable_idempotence=False, linger_ms=5
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(producer: AIOKafkaProducer, topic: str, numbers: range) -> None:
    waiting = [
        await producer.send(
            topic, b"%d" % number, key=b"key", partition=number % PARTITIONS, headers=[("h", b"1")]
        )
        for number in numbers
    ]
    await asyncio.gather(*waiting)


def settings_of(tansu: Tansu, prefix: str, root: Path, flush_seconds: float) -> LakeSettings:
    return load(
        LakeSettings,
        kafka_bootstrap_servers=tansu.bootstrap_servers,
        topic_prefix=prefix,
        lake_dir=root,
        flush_seconds=flush_seconds,
    )


@asynccontextmanager
async def lake_process(
    tansu: Tansu, prefix: str, root: Path, flush_seconds: float
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        env={
            "KAFKA_BOOTSTRAP_SERVERS": tansu.bootstrap_servers,
            "MILLSTREAM_TOPIC_PREFIX": prefix,
            "MILLSTREAM_LAKE_DIR": str(root),
            "MILLSTREAM_LAKE_FLUSH_SECONDS": str(flush_seconds),
            "PYTHONDONTWRITEBYTECODE": "1",
            "POLARS_MAX_THREADS": "1",
        },
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def stored_at_least(root: Path, topic: str, wanted: int) -> None:
    """Offsets are dense on this topic, so their sum is the number of records."""
    async with asyncio.timeout(60):
        while sum(offsets(root, topic).values()) < wanted:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.02)


async def test_every_record_once_through_kills_and_a_stop(
    tansu: Tansu, prefix: str, topic: str, tmp_path: Path
) -> None:
    root, sent = tmp_path / "lake", 0
    async with producing(tansu) as producer:
        for _ in range(3):
            async with lake_process(tansu, prefix, root, flush_seconds=0.05) as process:
                sending = asyncio.create_task(send(producer, topic, range(sent, sent + 4000)))
                await stored_at_least(root, topic, sent + 1000)
                process.kill()
                await process.wait()
                await sending
                sent += 4000
        async with lake_process(tansu, prefix, root, flush_seconds=0.05) as process:
            # New ones, so that what is waited for is the work of this process.
            await send(producer, topic, range(sent, sent + 1000))
            sent += 1000
            await stored_at_least(root, topic, sent)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 10) == 0
    found = list(records(root, topic))
    assert sorted(int(r.value or b"") for r in found) == list(range(sent))
    assert all(r.partition == int(r.value or b"") % PARTITIONS for r in found)
    assert {(r.key, r.headers) for r in found} == {(b"key", (("h", b"1"),))}
    assert not list(root.rglob("*.unfinished"))


async def test_what_waits_is_written_on_sigterm_within_ten_seconds(
    tansu: Tansu, prefix: str, topic: str, tmp_path: Path
) -> None:
    settled = tmp_path / "settled"
    async with (
        producing(tansu) as producer,
        lake_process(tansu, prefix, tmp_path / "lake", flush_seconds=600) as process,
    ):
        await send(producer, topic, range(2000))
        # Another lake shows when the records are there to be read; this one must not have
        # written them, and has had longer to poll than that one.
        async with lake_process(tansu, prefix, settled, flush_seconds=0.05):
            await stored_at_least(settled, topic, 2000)
        assert not offsets(tmp_path / "lake", topic)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert time.monotonic() - asked < 10
    assert sum(offsets(tmp_path / "lake", topic).values()) == 2000


async def test_a_second_lake_on_the_same_folder_is_refused(
    tansu: Tansu, prefix: str, topic: str, tmp_path: Path
) -> None:
    with LakeWriter(tmp_path), pytest.raises(OperatorError, match="another lake process"):
        await run(settings_of(tansu, prefix, tmp_path, 1))


async def test_a_missing_topic_is_told_and_not_created(
    tansu: Tansu, prefix: str, tmp_path: Path
) -> None:
    for _ in range(2):
        with pytest.raises(OperatorError, match="millstream init"):
            await run(settings_of(tansu, prefix, tmp_path, 1))


async def test_a_topic_that_was_created_anew_halts_the_lake(
    tansu: Tansu, prefix: str, topic: str, tmp_path: Path
) -> None:
    with LakeWriter(tmp_path) as lake:
        lake.write(topic, 0, Range(0, 1), [LogRecord(topic, 0, 0, 1, b"key", b"of another log")])
    async with producing(tansu) as producer:
        await send(producer, topic, range(8))
    with pytest.raises(Halt, match=r"partition 0.*created anew"):
        await asyncio.wait_for(run(settings_of(tansu, prefix, tmp_path, 0.05)), 30)
    assert offsets(tmp_path, topic)[0] == 1


async def test_a_broker_that_is_away_is_told(tmp_path: Path) -> None:
    tansu = Tansu()
    tansu.close()
    with pytest.raises(OperatorError, match="KAFKA_BOOTSTRAP_SERVERS"):
        await run(settings_of(tansu, "", tmp_path, 1))
