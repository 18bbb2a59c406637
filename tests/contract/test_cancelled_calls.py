"""A task that is cancelled while it speaks to Redis ends, at whatever moment it is cancelled."""

from __future__ import annotations

import asyncio
import random

from redis.asyncio import Redis

from millstream.local.valkey import Valkey
from millstream.stores.redis import connected

TRIALS = 60
CALLS = 16


async def _call_for_ever(redis: Redis) -> None:
    while True:
        pipeline = redis.pipeline(transaction=False)
        for number in range(CALLS):
            pipeline.hgetall(f"h{number}")
        await pipeline.execute()


async def test_no_cancellation_is_lost_between_a_call_and_its_answer() -> None:
    """redis-py's own way to send lost about one in ten on Python 3.11."""
    rng = random.Random(1)
    with Valkey() as server:
        redis = await connected(server.url)
        try:
            for number in range(CALLS):
                await redis.hset(f"h{number}", mapping={f"i{n}": n for n in range(200)})
            for _ in range(TRIALS):
                task = asyncio.create_task(_call_for_ever(redis))
                await asyncio.sleep(rng.uniform(0.02, 0.06))
                task.cancel()
                _, deaf = await asyncio.wait([task], timeout=10)
                assert not deaf, "the task went on"
        finally:
            await redis.aclose()
