"""The group's committed offsets: up to where every owed list is out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition

Committed = Callable[[Iterable[int]], Awaitable[dict[int, int | None]]]


@asynccontextmanager
async def committed_offsets(
    bootstrap_servers: str, group: str, topic: str
) -> AsyncIterator[Committed]:
    """Asks without becoming a member of the group."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=group, enable_auto_commit=False
    )
    await consumer.start()

    async def read(partitions: Iterable[int]) -> dict[int, int | None]:
        places = {number: TopicPartition(topic, number) for number in partitions}
        consumer.assign(list(places.values()))
        return {number: await consumer.committed(place) for number, place in places.items()}

    try:
        yield read
    finally:
        await consumer.stop()
