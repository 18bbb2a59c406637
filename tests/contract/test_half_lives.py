"""Sums that have faded by one half-life are never added to by another."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis

from millstream.domain.deriving import DAY_MS, USUAL
from millstream.domain.errors import OperatorError
from millstream.stores.affinities import AffinityStore
from millstream.stores.half_lives import keep_half_lives
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.reset import wipe

WEEK = msgspec.structs.replace(USUAL, popular_half_life_ms=7 * DAY_MS)


async def test_another_half_life_waits_for_the_sums_to_be_gone(redis: Redis, keys: Keys) -> None:
    await keep_half_lives(redis, keys, USUAL)
    await AffinityStore(redis, keys, 1, ItemNumbers(redis, keys)).note_tenants({"shop"})
    await keep_half_lives(redis, keys, USUAL)
    with pytest.raises(OperatorError, match=r"7 and 30.*expected 30 and 30.*rebuild --wipe"):
        await keep_half_lives(redis, keys, WEEK)
    await wipe(redis, keys, 1)
    await keep_half_lives(redis, keys, WEEK)
    with pytest.raises(OperatorError, match=r"30 and 30.*expected 7 and 30"):
        await keep_half_lives(redis, keys, USUAL)


async def test_of_two_that_start_with_others_on_an_empty_redis_one_is_refused(
    redis: Redis, keys: Keys
) -> None:
    starts = [keep_half_lives(redis, keys, one) for one in (USUAL, WEEK)]
    found = await asyncio.gather(*starts, return_exceptions=True)
    assert sum(isinstance(one, OperatorError) for one in found) == 1
    assert sum(one is None for one in found) == 1


async def test_sums_of_an_older_release_have_faded_by_the_usual_ones(
    redis: Redis, keys: Keys
) -> None:
    await AffinityStore(redis, keys, 1, ItemNumbers(redis, keys)).note_tenants({"shop"})
    with pytest.raises(OperatorError, match="expected 30 and 30"):
        await keep_half_lives(redis, keys, WEEK)
    await keep_half_lives(redis, keys, USUAL)


async def test_weights_by_type_may_change_at_any_time(redis: Redis, keys: Keys) -> None:
    await AffinityStore(redis, keys, 1, ItemNumbers(redis, keys)).note_tenants({"shop"})
    others = msgspec.structs.replace(USUAL, weights={kind: 2.0 for kind in USUAL.weights})
    await keep_half_lives(redis, keys, others)
