"""The current version in a real Redis: one winner, never backwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from millstream.local.valkey import Valkey
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer

A, B = "a" * 64, "b" * 64


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    client = Redis.from_url(valkey.url)
    yield client
    await client.aclose()


@pytest.fixture
def pointer(redis: Redis, prefix: str) -> RedisModelPointer:
    return RedisModelPointer(redis, Keys(prefix))


async def test_it_moves_from_what_was_expected_and_only_upwards(
    pointer: RedisModelPointer,
) -> None:
    assert await pointer.read("default", "embedding") is None
    assert not await pointer.promote("default", "embedding", 2, A, expected_version=1)
    assert await pointer.promote("default", "embedding", 2, A, expected_version=None)
    assert await pointer.read("default", "embedding") == (2, A)
    for version, expected in [(3, None), (3, 1), (2, 2), (1, 2)]:
        assert not await pointer.promote("default", "embedding", version, B, expected)
    assert await pointer.promote("default", "embedding", 3, B, expected_version=2)
    assert await pointer.read("default", "embedding") == (3, B)
    assert await pointer.read("other", "embedding") is None


async def test_the_same_call_again_says_true(pointer: RedisModelPointer) -> None:
    for _ in range(2):
        assert await pointer.promote("default", "embedding", 1, A, expected_version=None)
    assert not await pointer.promote("default", "embedding", 1, B, expected_version=None)


async def test_of_many_trainers_one_wins(pointer: RedisModelPointer) -> None:
    shas = [f"{number:064x}" for number in range(20)]
    won = await asyncio.gather(
        *(pointer.promote("default", "embedding", 1, sha, None) for sha in shas)
    )
    assert sum(won) == 1
    assert await pointer.read("default", "embedding") == (1, shas[won.index(True)])
