"""Asking the log itself what it has: the judge of a gap in what was delivered."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from millstream.streaming.transport import FETCH_WAIT_MS, Partition

DEADLINE_S = 10.0


async def first_offset(bootstrap_servers: str, source: Partition, offset: int) -> int | None:
    """The offset of the first record at or after `offset`, as a reader of committed records sees
    it. None when none came in ten seconds, and when the log no longer reaches back to `offset`:
    what retention took is no hole. Opens a connection of its own: what another consumer has under
    way, from before a seek or after it, is not asked."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        auto_offset_reset="none",
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
    place = TopicPartition(*source)
    try:
        async with asyncio.timeout(DEADLINE_S):
            await consumer.start()
            consumer.assign([place])
            consumer.seek(place, offset)
            return int((await consumer.getone(place)).offset)
    except (KafkaError, OSError, TimeoutError):
        return None
    finally:
        await consumer.stop()
