"""Follows the lists topic outside any consumer group: a storefront wants all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from aiokafka import AIOKafkaConsumer

from millstream.domain.brokers import Servers
from millstream.domain.lists import RecommendationList
from millstream.streaming.access import access
from millstream.streaming.topic_admin import partitions_of

# An idle fetch of the embedded broker looks at the log again only after half of this (measured on
# Tansu 0.6.0: 500 ms, aiokafka's default, makes a list 254 ms old). Apache Kafka answers at once.
FETCH_WAIT_MS = 20

_DECODER = msgspec.json.Decoder(RecommendationList)


@asynccontextmanager
async def lists_consumer(servers: Servers, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Placed at the end of every partition of `topic` as the broker tells it.

    The embedded broker tells too low an end, so older lists may come first; they are harmless.
    Raises OperatorError when the topic does not exist."""
    consumer = AIOKafkaConsumer(
        **access(servers),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="latest",
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
    await consumer.start()
    try:
        # To subscribe would make a broker with automatic creation create a missing topic.
        consumer.assign(await partitions_of(servers, topic))
        for place in consumer.assignment():
            await consumer.position(place)  # the end is fixed now, before anything is sent
        yield consumer
    finally:
        await consumer.stop()


async def follow_lists(
    consumer: AIOKafkaConsumer, listed: Callable[[RecommendationList], None]
) -> None:
    """Hands each list to `listed` until cancelled; a null value (an erased shopper) is no list.

    Raises msgspec.DecodeError on a record that is no list: the recommender broke its contract."""
    while True:
        batches = await consumer.getmany(timeout_ms=500)
        for records in batches.values():
            for record in records:
                if record.value is not None:
                    listed(_DECODER.decode(record.value))
