"""The epoch of all slots on a real Valkey: opened, completed, asked for while nothing is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis
from tests.builders import TOPIC

from millstream.domain.errors import Halt
from millstream.local.valkey import Valkey
from millstream.stores.epoch import bump_epoch, epochs, require_epoch
from millstream.stores.fences import begin_fence, read_fences
from millstream.stores.keys import Keys
from millstream.stores.redis import connect, load_functions

KEYS = Keys("epoch.")
SLOTS = 4
TP = (TOPIC, 0)


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    """Of its own: its memory is taken away."""
    with Valkey() as started:
        yield started


@pytest.fixture
async def redis(server: Valkey) -> AsyncIterator[Redis]:
    client = connect(server.url)
    await client.flushall()
    await load_functions(client)
    yield client
    await client.config_set("maxmemory", "0")
    await client.aclose()


async def test_nobody_opened_one_yet(redis: Redis) -> None:
    assert await epochs(redis, KEYS, SLOTS) == ("0",) * SLOTS
    assert not await redis.keys("epoch.*"), "to ask writes nothing"
    await require_epoch(redis, KEYS, SLOTS, "0")


async def test_a_new_one_leaves_the_old_fences_and_takes_the_clocks(redis: Redis) -> None:
    await begin_fence(redis, KEYS, TP, ["0"] * SLOTS, 40)
    await redis.hset(KEYS.clocks(1), "0:t:0", "5")
    assert await bump_epoch(redis, KEYS, SLOTS) == "1"
    fences = await read_fences(redis, KEYS, SLOTS, [TP])
    assert (fences.epoch, fences.partitions[TP].per_slot) == ("1", (0,) * SLOTS)
    assert fences.partitions[TP].known == (False,) * SLOTS
    assert await redis.hget(KEYS.fences(3), f"t:0:{TOPIC}:0") == b"40"
    assert not await redis.exists(KEYS.clocks(1))


async def test_one_slot_that_was_left_behind_is_brought_up(redis: Redis) -> None:
    await bump_epoch(redis, KEYS, SLOTS - 1)
    assert await epochs(redis, KEYS, SLOTS) == ("1", "1", "1", "0")
    with pytest.raises(Halt, match="slot 3 of Redis is in epoch 0, and this worker counts in 1"):
        await require_epoch(redis, KEYS, SLOTS, "1")
    assert await bump_epoch(redis, KEYS, SLOTS) == "1"
    await require_epoch(redis, KEYS, SLOTS, "1")


async def test_epochs_are_numbers(redis: Redis) -> None:
    for wanted in range(1, 12):
        assert await bump_epoch(redis, KEYS, SLOTS) == str(wanted)


async def test_a_server_that_takes_no_writes_is_waited_for(redis: Redis) -> None:
    """As the worker's own calls wait, so that the watchdog tells a pause from a stand."""
    await redis.config_set("maxmemory", "1")
    asked = asyncio.create_task(require_epoch(redis, KEYS, SLOTS, "0"))
    done, _ = await asyncio.wait([asked], timeout=1.5)
    assert not done
    await redis.config_set("maxmemory", "0")
    await asyncio.wait_for(asked, 10)


async def test_functions_that_are_gone_end_it(redis: Redis) -> None:
    await redis.function_flush()
    with pytest.raises(Halt, match="millstream init"):
        await require_epoch(redis, KEYS, SLOTS, "0")
