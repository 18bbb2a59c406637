"""Where a topic ends, as its own records tell: the embedded broker's answer is too low."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition

from millstream.domain.brokers import Servers
from millstream.streaming.access import access
from millstream.streaming.topic_admin import partitions_of

FETCH_MS = 200


async def fetched_ends(servers: Servers, topic: str, timeout_s: float = 60.0) -> dict[int, int]:
    """By partition the offset after its last record, at some moment during the call; reads the
    whole topic. Raises TimeoutError."""
    consumer = AIOKafkaConsumer(**access(servers), group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(timeout_s):
            places = await partitions_of(servers, topic)
            consumer.assign(places)
            while not await _is_at_end(consumer, places):
                await consumer.getmany(timeout_ms=FETCH_MS)
            return {place.partition: await consumer.position(place) for place in places}
    finally:
        await consumer.stop()


async def _is_at_end(consumer: AIOKafkaConsumer, places: Iterable[TopicPartition]) -> bool:
    """By what each partition's last fetch told."""
    for place in places:
        end = consumer.highwater(place)
        if end is None or await consumer.position(place) < end:
            return False
    return True
