"""What we rely on in Faust and aiokafka that they do not promise. A new release must pass this."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.protocol.metadata import MetadataResponse_v5
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from tests.builders import record
from tests.contract.faust_program import Plan

from millstream.local.tansu import Tansu
from millstream.streaming.chunks import FETCH_WAIT_MS, Chunk
from millstream.streaming.transport.app import ChunkApp
from millstream.streaming.transport.consumer import ChunkConsumer
from millstream.streaming.transport.delivery import ChunkScheduler
from millstream.streaming.transport.thread import BUSY_RECORDS, BUSY_WAIT_MS, PLENTY_BYTES

RECORDS = 60
COMMITTED = 50


def test_the_release_is_the_one_that_was_read() -> None:
    assert version("faust-streaming") == "0.15.3"
    assert version("aiokafka").startswith("0.14.")


async def nowhere(_bounds: Any) -> Any:
    return {}


def app_of(topic: str = "t") -> ChunkApp:
    return ChunkApp("g", topic, "127.0.0.1:1,127.0.0.1:2", nowhere, session_timeout_s=10)


def consumer_of(app: ChunkApp) -> ChunkConsumer:
    consumer = app.consumer
    assert isinstance(consumer, ChunkConsumer)
    consumer._thread.thread_loop.close()  # of a thread that never starts
    return consumer


async def test_the_scheduler_is_accepted_and_makes_one_message_of_a_fetch() -> None:
    app = app_of()
    consumer = consumer_of(app)
    assert isinstance(consumer.scheduler, ChunkScheduler)
    record = type("R", (), {"offset": 7, "timestamp": 5, "timestamp_type": 1})()
    fetched = {TP("t", 1): [], TP("t", 0): [record, record], TP("t", 2): [record]}
    [(tp, envelope)] = consumer.scheduler.iterate(fetched)
    message: Any = consumer._to_message(tp, envelope)
    assert (message.tp, message.offset) == (TP("t", 0), 7)
    assert message.value == [Chunk("t", 0, [record, record]), Chunk("t", 2, [record])]
    assert not list(consumer.scheduler.iterate({TP("t", 1): []}))
    assert [str(url) for url in app.conf.broker] == ["kafka://127.0.0.1:1", "kafka://127.0.0.1:2"]


async def test_the_book_of_what_was_read_stays_empty() -> None:
    consumer = consumer_of(app_of())
    place = TP("t", 0)
    consumer._read_offset[place] = 9
    consumer._read_offset.update({place: 9})
    assert consumer._read_offset[place] is None
    assert not consumer._read_offset


async def test_nothing_is_acknowledged() -> None:
    app = app_of()
    assert app.chunks().acks is False
    assert not app.tables
    assert app.conf.web_enabled is False
    assert app.conf.stream_wait_empty is False


async def test_the_consumer_has_what_is_set_behind_its_back() -> None:
    plain = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    assert (plain._isolation_level, plain._fetch_max_wait_ms) == ("read_uncommitted", 500)
    await plain.stop()
    assert hasattr(driver.AIOKafkaConsumerThread, "_create_worker_consumer")
    app = app_of()
    made = consumer_of(app)._thread._create_consumer(asyncio.get_running_loop())
    assert (made._isolation_level, made._fetch_max_wait_ms) == ("read_committed", FETCH_WAIT_MS)
    assert (made._session_timeout_ms, made._heartbeat_interval_ms) == (10_000, 2_000)
    assert made._enable_auto_commit is False
    await made.stop()


async def test_a_header_of_a_record_reaches_no_agent() -> None:
    """An agent would answer to any topic that the header Faust-Ag-ReplyTo names."""
    consumer = consumer_of(app_of())
    headers = [("Faust-Ag-ReplyTo", b"anywhere"), ("Faust-Ag-CorrelationId", b"1")]
    [(tp, envelope)] = consumer.scheduler.iterate({TP("t", 0): [record(b"{}", headers=headers)]})
    message: Any = consumer._to_message(tp, envelope)
    assert not message.headers
    assert message.value[0].records[0].headers == tuple(headers), "ours to read, as data"


def test_the_client_tells_no_leader_epoch_and_no_topic_id() -> None:
    """So that a topic made anew can only be told by what is in it (streaming/witness.py)."""
    assert not {"leader_epoch", "topic_id"} & set(ConsumerRecord.__dataclass_fields__)
    topics = MetadataResponse_v5.SCHEMA.fields[MetadataResponse_v5.SCHEMA.names.index("topics")]
    assert "topic_id" not in topics.array_of.names


async def test_the_broker_is_never_asked_where_to_begin() -> None:
    made = consumer_of(app_of())._thread._create_consumer(asyncio.get_running_loop())
    assert made._auto_offset_reset == "none"
    await made.stop()


async def test_positions_are_ours_and_a_failure_ends_the_process(tansu: Tansu, prefix: str) -> None:
    await positions_are_ours(Plan(tansu.bootstrap_servers, f"{prefix}g", f"{prefix}t", 20, 10, 59))


async def positions_are_ours(plan: Plan) -> None:
    """The group's offset is ahead, and is neither followed nor moved; what lies before what was
    read comes again after a seek back; an exception in the agent acknowledges nothing."""
    await fill(plan)
    await commit(plan, COMMITTED)
    told = await run(plan)
    bounds = [line for line in told if "log_start" in line]
    known = {"partition": 0, "log_start": 0, "committed": COMMITTED}
    assert [known | {"committed_in": line["committed_in"]} for line in bounds] == bounds
    assert len(bounds) == 2, "once at the assignment, once at the seek back"
    assert read(told) == [*range(plan.first, RECORDS), *range(plan.again, RECORDS)]
    waits = {
        len(line["offsets"]) >= BUSY_RECORDS: (line["next_waits_for_bytes"], line["next_waits_ms"])
        for line in told
        if "offsets" in line
    }
    assert waits[True] == (PLENTY_BYTES, BUSY_WAIT_MS), "the fetcher looks at them at each fetch"
    assert waits.get(False, (1, FETCH_WAIT_MS)) == (1, FETCH_WAIT_MS)
    assert await committed(plan) == COMMITTED
    assert read(await run(plan))[: RECORDS - plan.first] == [*range(plan.first, RECORDS)]


async def run(plan: Plan) -> list[dict[str, Any]]:
    """What faust_program.py told until it failed."""
    program = Path(__file__).with_name("faust_program.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        json.dumps(asdict(plan)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), 90)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    # Faust shows the cursor again in the middle of a line.
    lines = (line[line.find("{") :] for line in out.decode().splitlines() if "{" in line)
    assert process.returncode not in (0, None), err.decode()[-2000:]
    return [json.loads(line) for line in lines]


def read(told: list[dict[str, Any]]) -> list[int]:
    return [offset for line in told for offset in line.get("offsets", [])]


async def fill(plan: Plan) -> None:
    """With keys and values that Faust could not decode: it is not to look at them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=plan.broker)
    await admin.start()
    await admin.create_topics([NewTopic(plan.topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(
        bootstrap_servers=plan.broker, enable_idempotence=False
    ) as producer:
        for number in range(RECORDS):
            value = (b"%d" % number, b"\xff{", None)[number % 3]
            await producer.send_and_wait(plan.topic, value, b"\xfe\xff")


async def commit(plan: Plan, offset: int) -> None:
    async with AIOKafkaConsumer(bootstrap_servers=plan.broker, group_id=plan.group) as consumer:
        place = TopicPartition(plan.topic, 0)
        consumer.assign([place])
        await consumer.commit({place: offset})


async def committed(plan: Plan) -> int | None:
    async with AIOKafkaConsumer(bootstrap_servers=plan.broker, group_id=plan.group) as consumer:
        place = TopicPartition(plan.topic, 0)
        consumer.assign([place])
        found: int | None = await consumer.committed(place)
        return found
