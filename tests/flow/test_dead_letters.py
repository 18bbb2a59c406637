"""Dead letters through the real producer and a broker: what arrives is what was refused."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer

from millstream.domain.errors import Reason, Refused
from millstream.domain.log import LogRecord
from millstream.local.tansu import Tansu
from millstream.settings import ConnectionSettings, load
from millstream.streaming.dead_letters import MAX_LETTER_BYTES, PREFIX, DeadLetters
from millstream.streaming.producer import producer_for
from millstream.streaming.topic_admin import create_topics
from millstream.streaming.topics import EVENTS, read_topics

ROOM_FOR_OURS = 2000


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"\xff", b"\x00\x01\xff"),
        (b"k", None),
        (None, b""),
        (None, None),
        (b"k", b"x" * (MAX_LETTER_BYTES - ROOM_FOR_OURS)),
        (b"k", b"x" * (3 * 1024 * 1024)),
    ],
    ids=["bytes", "null value", "null key", "nulls", "largest", "too large"],
)
async def test_every_record_can_be_a_dead_letter(
    tansu: Tansu, prefix: str, key: bytes | None, value: bytes | None
) -> None:
    await create_topics(tansu.bootstrap_servers, read_topics(), prefix=prefix)
    settings = load(
        ConnectionSettings, kafka_bootstrap_servers=tansu.bootstrap_servers, kafka_idempotence=False
    )
    record = LogRecord(
        f"{prefix}{EVENTS}", 3, 41, 1_767_268_800_000, key, value, (("h", b"\xfe"), ("empty", b""))
    )
    async with producer_for(settings, "millstream-test") as producer:
        await DeadLetters(producer).send(record, Refused(Reason.UNDECODABLE, "not JSON"))
    consumer = AIOKafkaConsumer(
        f"{prefix}{EVENTS}.dlq",
        bootstrap_servers=tansu.bootstrap_servers,
        auto_offset_reset="earliest",
        group_id=None,
    )
    async with consumer, asyncio.timeout(20):
        found = await consumer.getone()
    headers = dict(found.headers)
    assert headers[f"{PREFIX}reason"] == b"undecodable"
    assert (headers[f"{PREFIX}partition"], headers[f"{PREFIX}offset"]) == (b"3", b"41")
    if value is not None and len(value) > MAX_LETTER_BYTES:
        assert (found.key, found.value) == (None, b"")
        assert int(headers[f"{PREFIX}omitted_bytes"]) > MAX_LETTER_BYTES
        return
    assert (headers["h"], headers["empty"]) == (b"\xfe", b"")
    assert found.key == key
    assert found.value == (value if (key, value) != (None, None) else b"")
