"""A shopper's records land on one partition whichever client sends them."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer

from millstream.client import AsyncClient
from millstream.domain.identity import record_key
from millstream.local.tansu import Tansu
from millstream.streaming.followers import follow
from millstream.streaming.topic_admin import create_topics
from millstream.streaming.topics import EVENTS, read_topics

if TYPE_CHECKING:
    from aiokafka.structs import ConsumerRecord
    from confluent_kafka import Message


def shoppers() -> list[str]:
    """200 names, of every length modulo 4 and with letters beyond ASCII."""
    draw = random.Random(7)
    letters = "abcXYZ019-_é漢"
    return ["".join(draw.choices(letters, k=1 + n % 40)) + str(n) for n in range(200)]


async def test_every_client_places_keys_alike(tansu: Tansu, prefix: str) -> None:
    where, topic, names = tansu.bootstrap_servers, f"{prefix}{EVENTS}", shoppers()
    keys = [record_key("default", name) for name in names]
    await create_topics(where, read_topics(), prefix=prefix)
    by_our_client = await _placed_by_our_client(where, prefix, names)
    by_aiokafka = await _placed_by_aiokafka(where, topic, keys)
    assert by_our_client == by_aiokafka
    assert by_aiokafka == _placed_by_librdkafka(where, topic, keys)
    assert set(by_aiokafka.values()) == set(range(12)), "too few keys to prove anything"


async def _placed_by_our_client(where: str, prefix: str, names: list[str]) -> dict[bytes, int]:
    placed: dict[bytes, int] = {}
    all_read = asyncio.Event()

    def take(record: ConsumerRecord[bytes, bytes]) -> None:
        placed[record.key] = record.partition
        if len(placed) == len(names):
            all_read.set()

    async with AsyncClient(where, topic_prefix=prefix, idempotence=False) as client:
        for name in names:
            client.track_nowait("view_item", user_id=name, items=["i1"])
        await client.flush()
    follower = follow(where, f"{prefix}{EVENTS}", take)
    await follower.start()
    try:
        await asyncio.wait_for(all_read.wait(), 30)
    finally:
        await follower.close()
    return placed


async def _placed_by_aiokafka(where: str, topic: str, keys: list[bytes]) -> dict[bytes, int]:
    async with AIOKafkaProducer(bootstrap_servers=where, enable_idempotence=False) as producer:
        sent = {key: await producer.send(topic, b"v", key=key) for key in keys}
        return {key: (await sending).partition for key, sending in sent.items()}


def _placed_by_librdkafka(where: str, topic: str, keys: list[bytes]) -> dict[bytes, int]:
    placed: dict[bytes, int] = {}

    def delivered(error: object, message: Message) -> None:
        key, partition = message.key(), message.partition()
        assert error is None, error
        assert isinstance(key, bytes)
        assert partition is not None
        placed[key] = partition

    producer = Producer({"bootstrap.servers": where, "partitioner": "murmur2_random"})
    for key in keys:
        producer.produce(topic, b"v", key=key, on_delivery=delivered)
    assert producer.flush(30) == 0, "not all records were delivered"
    return placed
