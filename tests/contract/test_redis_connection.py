"""What redis-py's own connection gets wrong, and ours (stores/redis.py) does not."""

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
    """At whatever moment it comes: redis-py's own way to send lost about one in ten on Python
    3.11."""
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


async def test_a_connection_that_is_slow_to_close_is_closed_all_the_same(valkey: Valkey) -> None:
    redis = await connected(valkey.url)
    try:
        connection = await redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        connection.socket_connect_timeout = 0  # for a goodbye, too
        await connection.disconnect()
        assert not connection.is_connected
        connection.socket_connect_timeout = 2
        await redis.connection_pool.release(connection)
        assert await redis.ping()
    finally:
        await redis.aclose()
