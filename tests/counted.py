"""All that counts in a Redis, in a form that two ways of counting can be compared by."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from millstream.domain.events import TYPE_ORDER
from millstream.features.decayed_counts import DECAYED_COUNTS
from millstream.features.state import USER_FEATURES, ShopperState
from millstream.stores.inventory import Count, item_counts
from millstream.stores.keys import Keys
from millstream.stores.shopper_values import fields_of, ids_of


@dataclass(frozen=True)
class Counted:
    """`features`: by shopper and name; `ids`: digests that are known of each; `items`: summed over
    the slots, `totals`: as the last sweep left them."""

    features: dict[str, dict[str, Any]]
    ids: dict[str, set[bytes]]
    items: dict[Count, int]
    totals: dict[Count, int]
    letters: set[bytes]


async def counted(redis: Redis, keys: Keys, slots: int) -> Counted:
    names: dict[str, dict[int, str]] = {}
    features: dict[str, dict[str, Any]] = {}
    ids: dict[str, set[bytes]] = {}
    letters: set[bytes] = set()
    for slot in range(slots):
        start = keys.shopper(slot, "", "").removesuffix(":")
        async for key in redis.scan_iter(f"{start}*", count=1000):
            name = key.decode().removeprefix(start)
            value = cast(bytes | None, await redis.get(key))
            tenant, _, shopper = name.partition(":")
            spilled = await redis.zrange(keys.event_ids(slot, tenant, shopper), 0, -1)
            ids[name] = {*ids_of(value), *spilled}
            if tenant not in names:
                held = await _hash(redis, keys.item_numbers(tenant))
                names[tenant] = {int(number): item.decode() for number, item in held.items()}
            if fields_of(value):
                state = ShopperState(fields_of(value), names[tenant])
                features[name] = {one.name: state.read(one, 0) for one in USER_FEATURES}
        letters |= cast(set[bytes], await cast(Awaitable[Any], redis.smembers(keys.replayed(slot))))
    totals: dict[Count, int] = {}
    start = keys.item_totals("", "").removesuffix(":")
    async for key in redis.scan_iter(f"{start}*", count=1000):
        tenant, _, item = key.decode().removeprefix(start).partition(":")
        for kind, n in (await _hash(redis, key.decode())).items():
            totals[tenant, item, str(TYPE_ORDER[int(kind)])] = int(n)
    items = dict(+(await item_counts(redis, keys, slots)))
    return Counted(features, ids, items, totals, letters)


async def _hash(redis: Redis, name: str) -> dict[bytes, bytes]:
    return cast(dict[bytes, bytes], await cast(Awaitable[Any], redis.hgetall(name)))


def near(features: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """To compare others with. Fading counts are rounded to single precision at the end of each
    call, so that how the log was cut into calls shows in their last bits."""
    fading = DECAYED_COUNTS.name
    return {
        name: {**held, fading: pytest.approx(held[fading], rel=1e-5)}
        for name, held in features.items()
    }
