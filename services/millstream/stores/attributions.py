"""What shoppers did with their lists, counted per partition, with the positions it goes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
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
"""So long after its last record a day's counts can be asked for, and it is known who was in which
experiment."""
SUMS_KEPT_S = 180 * 24 * 3600
"""So long after its last record what an experiment has shown can be asked for."""

Field = tuple[str, ...]
Of = tuple[str, str]
"""Tenant and day, as 20261129."""
Cohort = tuple[str, str, str]
"""Variant's label, time at which it begins in ms, what is counted."""
_fields = msgspec.json.Decoder(tuple[str, ...]).decode
_cohort = msgspec.json.Decoder(Cohort).decode


@dataclass(frozen=True, slots=True)
class Portion:
    """`stood`, `stands`: the positions (lists, events) before and after it. `held`: per shopper
    what replaces what was held, None where nothing is to be. `counts`, `listed`: what comes on
    top. `enrolled`, `cohorts`: the same of experiments. `to_ms`: the log's time at its end."""

    partition: int
    stood: tuple[int, int]
    stands: tuple[int, int]
    held: Mapping[ShopperName, bytes | None]
    counts: Mapping[Of, Counter[Field]]
    listed: Mapping[Of, Counter[str]]
    enrolled: Mapping[ShopperName, bytes | None]
    cohorts: Mapping[tuple[str, str], Counter[Cohort]]
    to_ms: int


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
        return await self._each(names, lambda name: self._keys.attributable(partition, *name))

    async def enrolled(
        self, partition: int, names: Iterable[ShopperName]
    ) -> dict[ShopperName, bytes | None]:
        return await self._each(names, lambda name: self._keys.enrolled(partition, *name))

    async def _each(
        self, names: Iterable[ShopperName], key_of: Callable[[ShopperName], str]
    ) -> dict[ShopperName, bytes | None]:
        asked = list(names)
        found = await self._redis.mget([key_of(name) for name in asked])
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
            raise Halt(
                f"partition {portion.partition}: another attribution is at work; see "
                "deploy/runbooks/attribution-behind.md"
            )

    async def counts(
        self, tenant: str, days: Sequence[str], partitions: int
    ) -> tuple[Counter[Field], Counter[str]]:
        """Over all partitions: by field, and of each item the places in lists."""
        pipeline = self._redis.pipeline(transaction=False)
        for partition in range(partitions):
            for day in days:
                pipeline.hgetall(self._keys.attributed(partition, tenant, day))
                pipeline.hgetall(self._keys.listed_items(partition, tenant, day))
        items: Counter[str] = Counter()
        found = await replies(pipeline)
        for told in found[1::2]:
            items.update({name.decode(): int(n) for name, n in told.items()})
        return _summed(found[::2]), items

    async def exposed(
        self, tenant: str, item_id: str, days: Sequence[str], partitions: int
    ) -> tuple[int, Counter[Field]]:
        """Over all partitions: the item's places in lists, and what `counts` has by field."""
        pipeline = self._redis.pipeline(transaction=False)
        for partition in range(partitions):
            for day in days:
                pipeline.hgetall(self._keys.attributed(partition, tenant, day))
                pipeline.hget(self._keys.listed_items(partition, tenant, day), item_id)
        found = await replies(pipeline)
        return sum(int(n) for n in found[1::2] if n is not None), _summed(found[::2])

    async def cohorts(
        self, tenant: str, experiment: str, partitions: int
    ) -> tuple[Counter[Cohort], int]:
        """Over all partitions, and the time of the log up to which they are whole: the latest that
        any has come to, since one where nothing happens stays behind."""
        pipeline = self._redis.pipeline(transaction=False)
        for partition in range(partitions):
            pipeline.hgetall(self._keys.cohorts(partition, tenant, experiment))
            pipeline.hget(self._keys.attributed_to(partition), "to_ms")
        found = await replies(pipeline)
        sums: Counter[Cohort] = Counter()
        for told in found[::2]:
            sums.update({_cohort(name): int(n) for name, n in told.items()})
        return sums, max((int(at) for at in found[1::2] if at is not None), default=0)

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
                transaction.hset(
                    at, mapping={"lists": lists, "events": events, "to_ms": portion.to_ms}
                )
                await transaction.execute()
            except WatchError:
                return False
            except ResponseError as error:
                raise by_code(error) from None
        return True

    def _put(self, transaction: Any, portion: Portion) -> None:
        partition, keys = portion.partition, self._keys
        for name, packed in portion.held.items():
            _set(transaction, keys.attributable(partition, *name), packed, HELD_S)
        for name, packed in portion.enrolled.items():
            _set(transaction, keys.enrolled(partition, *name), packed, KEPT_S)
        for of, counted in portion.counts.items():
            _add(transaction, keys.attributed(partition, *of), _named(counted), KEPT_S)
        for of, listed in portion.listed.items():
            _add(transaction, keys.listed_items(partition, *of), listed, KEPT_S)
        for of, cohorts in portion.cohorts.items():
            _add(transaction, keys.cohorts(partition, *of), _named(cohorts), SUMS_KEPT_S)


def _summed(found: Iterable[Mapping[bytes, bytes]]) -> Counter[Field]:
    fields: Counter[Field] = Counter()
    for told in found:
        fields.update({_fields(name): int(n) for name, n in told.items()})
    return fields


def _set(transaction: Any, key: str, packed: bytes | None, kept_s: int) -> None:
    if packed is None:
        transaction.delete(key)
    else:
        transaction.set(key, packed, ex=kept_s)


def _named(counted: Mapping[Any, int]) -> dict[bytes, int]:
    return {msgspec.json.encode(tuple(map(str, each))): n for each, n in counted.items()}


def _add(transaction: Any, key: str, sums: Mapping[Any, int], kept_s: int) -> None:
    for name, n in sums.items():
        transaction.hincrby(key, name, n)
    transaction.expire(key, kept_s)


def _positions(told: Sequence[Any]) -> tuple[int, int] | None:
    lists, events = told
    return None if lists is None else (int(lists), int(events))
