"""What shoppers did with their lists, counted per partition, with the positions it goes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError, WatchError

from millstream.domain.errors import Halt
from millstream.domain.identity import ShopperName
from millstream.stores.calls import by_code, replies
from millstream.stores.cluster import transacted
from millstream.stores.keys import Keys

HELD_S = 48 * 3600
"""So long after the last record of a shopper what is held of them goes by itself."""
KEPT_S = 35 * 24 * 3600
"""So long after its last record a day's counts can be asked for."""

Field = tuple[str, ...]
Of = tuple[str, str]
"""Tenant and day, as 20261129."""
_fields = msgspec.json.Decoder(tuple[str, ...]).decode


@dataclass(frozen=True, slots=True)
class Portion:
    """`stood`, `stands`: the positions (lists, events) before and after it. `held`: per shopper
    what replaces what was held, None where nothing is to be. `counts`, `listed`: what comes on
    top."""

    partition: int
    stood: tuple[int, int]
    stands: tuple[int, int]
    held: Mapping[ShopperName, bytes | None]
    counts: Mapping[Of, Counter[Field]]
    listed: Mapping[Of, Counter[str]]


class Attributions:
    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def positions(self, partition: int) -> tuple[int, int] | None:
        """None before the first portion."""
        found = await cast(
            Awaitable[list[Any]],
            self._redis.hmget(self._keys.attributed_to(partition), ["lists", "events"]),
        )
        return _positions(found)

    async def held(
        self, partition: int, names: Iterable[ShopperName]
    ) -> dict[ShopperName, bytes | None]:
        asked = list(names)
        found = await self._redis.mget([self._keys.attributable(partition, *n) for n in asked])
        return dict(zip(asked, cast(list[bytes | None], found), strict=True))

    async def write(self, portion: Portion) -> None:
        """All of it or nothing; once, though it be called again. Raises Halt where the positions
        are neither those before the portion nor those after it."""
        if await transacted(self._redis, lambda: self._move(portion)):
            return
        stands = await self.positions(portion.partition)
        if stands == portion.stood:  # a connection was lost meanwhile, and nothing was written
            await self.write(portion)
        elif stands != portion.stands:
            raise Halt(f"partition {portion.partition}: another attribution is at work")

    async def counts(
        self, tenant: str, days: Sequence[str], partitions: int
    ) -> tuple[Counter[Field], Counter[str]]:
        """Over all partitions: by field, and of each item the places in lists."""
        pipeline = self._redis.pipeline(transaction=False)
        for partition in range(partitions):
            for day in days:
                pipeline.hgetall(self._keys.attributed(partition, tenant, day))
                pipeline.hgetall(self._keys.listed_items(partition, tenant, day))
        fields: Counter[Field] = Counter()
        items: Counter[str] = Counter()
        found = await replies(pipeline)
        for told in found[::2]:
            fields.update({_fields(name): int(n) for name, n in told.items()})
        for told in found[1::2]:
            items.update({name.decode(): int(n) for name, n in told.items()})
        return fields, items

    async def _move(self, portion: Portion) -> bool:
        """False where the positions are not as they stood, or were moved meanwhile."""
        at = self._keys.attributed_to(portion.partition)
        async with self._redis.pipeline(transaction=True) as transaction:
            try:
                await transaction.watch(at)
                told = await cast(Awaitable[list[Any]], transaction.hmget(at, ["lists", "events"]))
                if (_positions(told) or portion.stood) != portion.stood:
                    return False
                transaction.multi()  # type: ignore[no-untyped-call]
                self._put(transaction, portion)
                lists, events = portion.stands
                transaction.hset(at, mapping={"lists": lists, "events": events})
                await transaction.execute()
            except WatchError:
                return False
            except ResponseError as error:
                raise by_code(error) from None
        return True

    def _put(self, transaction: Any, portion: Portion) -> None:
        for name, packed in portion.held.items():
            key = self._keys.attributable(portion.partition, *name)
            if packed is None:
                transaction.delete(key)
            else:
                transaction.set(key, packed, ex=HELD_S)
        for of, counted in portion.counts.items():
            key = self._keys.attributed(portion.partition, *of)
            for field, n in counted.items():
                transaction.hincrby(key, msgspec.json.encode(tuple(map(str, field))), n)
            transaction.expire(key, KEPT_S)
        for of, listed in portion.listed.items():
            key = self._keys.listed_items(portion.partition, *of)
            for item, n in listed.items():
                transaction.hincrby(key, item, n)
            transaction.expire(key, KEPT_S)


def _positions(told: Sequence[Any]) -> tuple[int, int] | None:
    lists, events = told
    return None if lists is None else (int(lists), int(events))
