"""A number of 28 bits for each item, so that shoppers' states and lists hold no text.

The numbers are derived from the ids (recs_items_v1): a store that lost its tail gives the same ones
again, but for the few of items whose first choices met. What hangs on them is derived and bounded;
the exact counts go by the ids themselves."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from redis.asyncio import Redis

from millstream.stores.calls import fcall_pipeline, replies
from millstream.stores.keys import Keys
from millstream.stores.ops import NumberedItem

BATCH = 5_000


class ItemNumbers:
    """All numbers of the tenants that were asked for, in memory: some 200 bytes an item."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._numbered: dict[str, dict[str, NumberedItem]] = defaultdict(dict)
        self._names: dict[str, dict[int, str]] = defaultdict(dict)

    def names(self, tenant: str) -> Mapping[int, str]:
        """Number -> id, as far as it is known here; grows."""
        return self._names[tenant]

    def numbered(self, tenant: str) -> Mapping[str, NumberedItem]:
        """Id -> number and encoded id, of what `learn` or `load` brought."""
        return self._numbered[tenant]

    def knows(self, tenant: str) -> bool:
        """Whether the tenant has an item with a number here."""
        return bool(self._names.get(tenant))

    async def learn(self, tenant: str, items: Iterable[str]) -> None:
        """Afterwards each of `items` has a number; one round trip if any is new."""
        known = self._numbered[tenant]
        unknown = [item for item in dict.fromkeys(items) if item not in known]
        calls = [
            ([self._keys.item_numbers(tenant)], _arguments(unknown[start : start + BATCH]))
            for start in range(0, len(unknown), BATCH)
        ]
        answers = await fcall_pipeline(self._redis, "recs_items_v1", calls)
        for item, number in zip(unknown, (n for row in answers for n in row), strict=True):
            self._note(tenant, int(number), item)

    async def recalled(self, tenant: str, numbers: Sequence[int]) -> list[str | None]:
        """The id of each number, None where the store has none; one round trip if any is not known
        here: other workers number items too."""
        names = self._names[tenant]
        unknown = [number for number in dict.fromkeys(numbers) if number not in names]
        if unknown:
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hmget(self._keys.item_numbers(tenant), unknown)
            (found,) = await replies(pipeline)
            for number, item in zip(unknown, found, strict=True):
                if item is not None:
                    self._note(tenant, number, item.decode())
        return [names.get(number) for number in numbers]

    async def load(self) -> None:
        """Every number there is, where the store has more than are known here: shoppers who come
        from another worker have touched items that this one never met."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.smembers(self._keys.tenants())
        (found,) = await replies(pipeline)
        for tenant in sorted(name.decode() for name in found):
            await self._load_tenant(tenant)

    async def _load_tenant(self, tenant: str) -> None:
        key = self._keys.item_numbers(tenant)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hlen(key)
        (held,) = await replies(pipeline)
        if held == len(self._names[tenant]):
            return
        if held < len(self._names[tenant]):  # the store lost some: they are to be written again
            self._names.pop(tenant)
            self._numbered.pop(tenant, None)
        cursor = 0
        while True:
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hscan(key, cursor, count=BATCH)
            ((cursor, rows),) = await replies(pipeline)
            for number, item in rows.items():
                self._note(tenant, int(number), item.decode())
            if not cursor:
                return

    def _note(self, tenant: str, number: int, item: str) -> None:
        self._numbered[tenant][item] = (number, item.encode())
        self._names[tenant][number] = item


def _arguments(items: Sequence[str]) -> list[bytes | str | int]:
    return [part for item in items for part in (preferred_number(item), item)]


def preferred_number(item: str) -> int:
    return zlib.crc32(item.encode()) & 0xFFFFFFF
