"""The Redis library on a server that the tests share, under keys of each test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from millstream.local.valkey import Valkey
from millstream.stores.feature_store import FeatureStore
from millstream.stores.keys import Keys
from millstream.stores.redis import connect, load_functions


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    client = connect(valkey.url)
    await load_functions(client)
    yield client
    await client.aclose()


@pytest.fixture
def keys(prefix: str) -> Keys:
    return Keys(prefix)


@pytest.fixture
def store(redis: Redis, keys: Keys) -> FeatureStore:
    return FeatureStore(redis, keys, slots=1, partitions=1)
