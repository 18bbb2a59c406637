"""What a laptop starts: each server does its work once through its real client, and leaves."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from redis import Redis
from redis.exceptions import OutOfMemoryError

from millstream.domain.errors import OperatorError
from millstream.local import brokers
from millstream.local.server import LocalServer
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.streaming.topic_admin import check_topics, create_topics
from millstream.streaming.topics import EVENTS, read_topics

OLD_MS = 1_291_190_400_000  # December 2010


async def test_tansu_carries_a_record_with_headers_and_its_own_time(
    tansu: Tansu, prefix: str
) -> None:
    where = tansu.bootstrap_servers
    await create_topics(where, read_topics(), prefix=prefix)
    async with AIOKafkaProducer(bootstrap_servers=where, enable_idempotence=False) as producer:
        await producer.send_and_wait(
            f"{prefix}{EVENTS}", b"v", key=b"k", headers=[("ce_id", b"1")], timestamp_ms=OLD_MS
        )
    consumer = AIOKafkaConsumer(
        f"{prefix}{EVENTS}", bootstrap_servers=where, auto_offset_reset="earliest"
    )
    async with consumer, asyncio.timeout(20):
        record = await consumer.getone()
    assert (record.key, record.value, record.headers) == (b"k", b"v", (("ce_id", b"1"),))
    assert record.timestamp == OLD_MS


async def test_topics_on_tansu_are_created_once_and_compared_after(
    tansu: Tansu, prefix: str
) -> None:
    where, specs = tansu.bootstrap_servers, read_topics()
    created = await create_topics(where, specs, prefix=prefix, partitions=4)
    assert set(created) == {f"{prefix}{spec.name}" for spec in specs}
    assert await create_topics(where, specs, prefix=prefix, partitions=4) == ()
    await check_topics(where, specs, prefix=prefix, partitions=4)
    with pytest.raises(OperatorError, match=f"topic {prefix}.*got 4 partitions; expected 12"):
        await create_topics(where, specs, prefix=prefix)


async def test_a_cluster_that_is_away_is_told() -> None:
    tansu = Tansu()
    tansu.close()
    with pytest.raises(OperatorError, match="KAFKA_BOOTSTRAP_SERVERS"):
        await create_topics(tansu.bootstrap_servers, read_topics())


def test_valkey_remembers_and_refuses_to_evict(valkey: Valkey, prefix: str) -> None:
    with Redis.from_url(valkey.url) as store:
        store.set(f"{prefix}key", "value")
        assert store.get(f"{prefix}key") == b"value"
        assert store.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_a_full_valkey_refuses_writes_and_keeps_what_it_has() -> None:
    with Valkey(config={"maxmemory": "3mb"}) as server, Redis.from_url(server.url) as store:
        store.set("first", "kept")
        with pytest.raises(OutOfMemoryError):
            _fill(store)
        assert store.get("first") == b"kept"


@pytest.mark.parametrize(("durable", "kept"), [(True, b"value"), (False, None)])
def test_what_valkey_has_after_kill_and_start(durable: bool, kept: bytes | None) -> None:
    with Valkey(durable=durable) as server:
        with Redis.from_url(server.url) as store:
            store.set("key", "value")
        server.kill()
        server.start()
        with Redis.from_url(server.url) as store:
            assert store.get("key") == kept


@pytest.mark.parametrize("kind", [Tansu, Valkey])
def test_a_closed_server_leaves_no_process_and_no_files(kind: type[LocalServer]) -> None:
    with kind() as server:
        assert server._guard is not None
        pids = (server.pid, server._guard.pid)
        for pid in pids:
            os.kill(pid, 0)
        assert server.directory.exists()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not server.directory.exists()


def test_what_is_not_named_is_started() -> None:
    with brokers.kafka(environ={}) as cluster, brokers.redis(environ={}) as store:
        assert cluster.name == "Tansu 0.6.0 (memory only, development only)"
        assert (cluster.idempotent_producer, cluster.session_timeout_s) == (False, 10)
        assert cluster.bootstrap_servers.startswith("127.0.0.1:")
        with Redis.from_url(store.url) as client:
            assert client.ping()


@pytest.mark.parametrize(
    ("required", "code", "told"),
    [("0", 0, "SKIPPED"), ("1", 1, "MILLSTREAM_REQUIRE_LIVE=1, but")],
)
def test_live_tests_without_java_skip_with_the_reason_or_fail(
    required: str, code: int, told: str
) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/live/test_kafka_node.py"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "JAVA_HOME": "/nowhere", "MILLSTREAM_REQUIRE_LIVE": required},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code, run.stdout
    assert told in run.stdout
    assert "Java 17 or later" in run.stdout


def _fill(store: Redis) -> None:
    """10 MB."""
    for n in range(1000):
        store.set(f"filler-{n}", "x" * 10_000)
