"""All counts that Redis holds, read one by one: for recounts, not for serving."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import cast

from redis.asyncio import Redis

from millstream.domain.reviews import VERDICT_ORDER
from millstream.features.item_counts import from_field
from millstream.features.state import ShopperState
from millstream.features.type_counts import TYPE_COUNTS
from millstream.stores.keys import Keys
from millstream.stores.shopper_values import fields_of

BATCH = 1_000

Count = tuple[str, str, str]
"""(tenant, shopper or item, event type or verdict)."""


async def shopper_counts(redis: Redis, keys: Keys, slots: int) -> Counter[Count]:
    found: Counter[Count] = Counter()
    for slot in range(slots):
        start = keys.shopper(slot, "", "").removesuffix(":")
        names = [key async for key in redis.scan_iter(f"{_literal(start)}*", count=BATCH)]
        for begin in range(0, len(names), BATCH):
            part = names[begin : begin + BATCH]
            values = cast(list[bytes | None], await redis.mget(part))
            for name, packed in zip(part, values, strict=True):
                tenant, _, shopper = name.decode().removeprefix(start).partition(":")
                counts = ShopperState(fields_of(packed)).read(TYPE_COUNTS, 0)
                found.update({(tenant, shopper, str(kind)): n for kind, n in counts.items()})
    return found


async def item_counts(redis: Redis, keys: Keys, slots: int) -> Counter[Count]:
    """Summed over the slots' partials, so it does not depend on the last sweep."""
    found: Counter[Count] = Counter()
    async for tenant, field, n in _partials(redis, keys, slots):
        kind, item = from_field(field)
        found[tenant, item, str(kind)] += n
    return found


async def verdict_counts(redis: Redis, keys: Keys, slots: int) -> Counter[Count]:
    """As `item_counts`, of reviews: (tenant, item, verdict). `keys`: of verdict_store."""
    found: Counter[Count] = Counter()
    async for tenant, field, n in _partials(redis, keys, slots):
        kind, _, item = field.partition("|")
        found[tenant, item, str(VERDICT_ORDER[int(kind)])] += n
    return found


async def _partials(redis: Redis, keys: Keys, slots: int) -> AsyncIterator[tuple[str, str, int]]:
    """Tenant, field, count; of each item many times."""
    for slot in range(slots):
        start = keys.item_partials(slot, "")
        names = [key async for key in redis.scan_iter(f"{_literal(start)}*", count=BATCH)]
        for name in names:
            tenant = name.decode().removeprefix(start)
            async for field, n in redis.hscan_iter(name, count=BATCH):
                yield tenant, field.decode(), int(n)


def _literal(text: str) -> str:
    """`text` as a SCAN pattern that means just itself."""
    return "".join(f"\\{char}" if char in "*?[]\\" else char for char in text)
