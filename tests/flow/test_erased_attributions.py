"""What attribution holds of the erased in a real Redis, as attribution itself packs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
from redis.asyncio import Redis
from tests.builders import NOON_MS
from tests.byte_scan import found_in, in_redis

from millstream.attribution.join import Joiner
from millstream.domain.clock import as_datetime
from millstream.domain.identity import ShopperName
from millstream.domain.lists import Origin, RankedItem, RecommendationList, Source
from millstream.local.valkey import Valkey
from millstream.stores.attributions import Attributions, Portion
from millstream.stores.erased_attributions import ErasedAttributions
from millstream.stores.keys import Keys
from millstream.stores.redis import connect

ANN, BOB = ("shop", "ann-planted"), ("shop", "bob-planted")
PARTITIONS = range(4)


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    client = connect(valkey.url)
    yield client
    await client.aclose()


@pytest.fixture
def keys(prefix: str) -> Keys:
    return Keys(prefix)


@pytest.fixture
def erased(redis: Redis, keys: Keys) -> ErasedAttributions:
    return ErasedAttributions(redis, keys, PARTITIONS)


def made(name: ShopperName, at_ms: int) -> RecommendationList:
    return RecommendationList(
        recommendation_id=f"l{at_ms}",
        tenant=name[0],
        user=name[1],
        variant="trial:a",
        items=(RankedItem("mug", 1.0, Source.COVISITED, ""),),
        model_version="v1",
        settings_digest="0" * 12,
        origin=Origin("t", 0, 1),
        event_time=as_datetime(at_ms),
        log_time=as_datetime(at_ms),
        published_at=as_datetime(at_ms),
    )


async def attribute(
    redis: Redis, keys: Keys, partition: int, lists: Mapping[ShopperName, int], upto: int
) -> None:
    """A portion of a list each, after which attribution stands at `upto` in both topics."""
    joiner, store = Joiner(dict.fromkeys(lists)), Attributions(redis, keys)
    for name, at_ms in lists.items():
        joiner.shown(made(name, at_ms))
    stood = await store.positions(partition) or (0, 0)
    await store.write(
        Portion(
            partition,
            stood,
            (upto, upto),
            dict(joiner.packed()),
            joiner.counts,
            joiner.listed,
            dict(joiner.enrolments.changed()),
            joiner.enrolments.counts,
            max(lists.values(), default=0),
        )
    )


async def naming(redis: Redis, keys: Keys, name: ShopperName) -> set[bytes]:
    return {
        key async for key, held in in_redis(redis, keys.prefix) if found_in([key, held], name[1:])
    }


async def test_lists_and_experiments_of_the_erased_go_and_nobody_else_s(
    redis: Redis, keys: Keys, erased: ErasedAttributions
) -> None:
    await attribute(redis, keys, 2, {ANN: NOON_MS, BOB: NOON_MS}, 1)
    assert await erased.remaining({ANN: NOON_MS}) == len(await naming(redis, keys, ANN)) == 2
    await erased.clear({ANN: NOON_MS})
    assert await erased.remaining({ANN: NOON_MS}) == 0
    assert await naming(redis, keys, ANN) == set()
    assert await erased.remaining({BOB: NOON_MS}) == len(await naming(redis, keys, BOB)) == 2


async def test_what_came_after_the_erasure_is_neither_counted_nor_taken(
    redis: Redis, keys: Keys, erased: ErasedAttributions
) -> None:
    await attribute(redis, keys, 0, {ANN: NOON_MS + 1}, 1)
    await erased.clear({ANN: NOON_MS})
    assert await erased.remaining({ANN: NOON_MS}) == 0
    assert await erased.remaining({ANN: NOON_MS + 1}) == 2, "the next erasure is of that"


async def test_attribution_is_past_an_erasure_once_both_topics_are_or_where_it_never_ran(
    redis: Redis, keys: Keys, erased: ErasedAttributions
) -> None:
    assert await erased.has_passed({1: 7}, {1: 7}), "nothing is at work that could bring it back"
    await attribute(redis, keys, 0, {}, 99)
    assert not await erased.has_passed({1: 7}, {1: 7}), "it did not come to that partition yet"
    await attribute(redis, keys, 1, {}, 7)
    assert not await erased.has_passed({1: 7}, {1: 6})
    assert not await erased.has_passed({1: 6}, {1: 7})
    assert await erased.has_passed({1: 6}, {1: 6})
