"""`millstream bench memory`: what Redis holds for shoppers, items and their last lists.

The real recorder counts EVENTS_PER_SHOPPER events of each shopper over DAYS days of log time, all
partitions in step, in visits of some events within minutes; then each shopper gets a list of 20 as
the recommender stores it. Shoppers are called by pseudonyms of 22 characters. How much each kind
takes is asked of the server: `used_memory` before and after counting, and before and after the
lists. From the first the keys that belong to items, slots and the window's ZSETs are taken by
MEMORY USAGE of each whole key; what is left is the shoppers' values with their keys, and is divided
among counters, recent items and the window's ids by the bytes that each has in the values. So a
key's own cost is shared by all three.

Per million shoppers; with fewer than a million what was measured is scaled, items apart.
`rss_growth`: by how much a recommender's resident memory grew under a steady load (soak.py), if
minutes were asked for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import numpy as np
from benchmarks import soak
from benchmarks.machine import machine
from benchmarks.made_traffic import (
    CHUNK,
    DAY_MS,
    DAYS,
    EVENTS_PER_SHOPPER,
    PARTITIONS,
    SEED,
    TOPIC,
    Load,
    Size,
    chunks,
    make,
)
from redis.asyncio import Redis
from rich.console import Console
from rich.progress import Progress

from millstream.domain.acceptance import WINDOW_MS
from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.lists import Origin, RankedItem, RecommendationList, Source
from millstream.features.state import LAYOUT, USER_FEATURES
from millstream.local import brokers
from millstream.local.brokers import RedisEndpoint
from millstream.recommender.record import Recorder
from millstream.stores.feature_store import FeatureStore
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, connect, fix_slots, load_functions
from millstream.stores.served_lists import ServedLists
from millstream.stores.server import server_version
from millstream.stores.shopper_values import fields_of

LIST_LENGTH = 20
PREFIX = "bm:"
"""As long as the default of MILLSTREAM_REDIS_PREFIX: it stands in every key."""
TENANT = "default"
MILLION, MIB = 1_000_000, 1024 * 1024
_SAMPLED = 5_000


@dataclass
class Measuring:
    redis: Redis
    size: Size
    progress: Progress
    keys: Keys = Keys(PREFIX)  # noqa: RUF009  frozen

    async def run(self) -> dict[str, Any]:
        numbers = ItemNumbers(self.redis, self.keys)
        empty = await self._used()
        load = make(self.size, wall_clock() - DAYS * DAY_MS)
        await self._count(load, numbers)
        counted = await self._used()
        await self._serve(load, numbers)
        served = await self._used()
        apart = await self._apart()
        value = await self._value_bytes()
        share = {name: size / sum(value.values()) for name, size in value.items()}
        values = counted - empty - apart.total()
        kinds = {name: values * part for name, part in share.items()}
        kinds["dedupe"] += apart["d"]
        kinds["lists"] = served - counted
        mib = {name: self._per_million(size) for name, size in kinds.items()}
        of_items = sum(apart[kind] for kind in ("i", "q", "items"))
        return {
            **mib,
            "total_mib_per_million_users": round(sum(mib.values()), 1),
            "value_bytes": value,
            "bytes_per_item": round(of_items / self.size.items, 1),
            "bytes_of_slots": apart["f"] + apart["c"],
        }

    async def _count(self, load: Load, numbers: ItemNumbers) -> None:
        store = FeatureStore(self.redis, self.keys, DEFAULT_SLOTS, PARTITIONS)
        recorder = Recorder(store, numbers, DEFAULT_SLOTS, wall_clock)
        fences = {(TOPIC, number): [0] * DEFAULT_SLOTS for number in range(PARTITIONS)}
        recorder.resume(fences, "0")
        events = self.size.users * EVENTS_PER_SHOPPER
        task = self.progress.add_task("counting the events", total=events)
        accepted = 0
        for ranges in chunks(load):
            recorded = await recorder.record([await recorder.prepare(one) for one in ranges])
            accepted += recorded.verdicts["a"]
            self.progress.update(task, completed=accepted)
        if accepted != events:
            raise OperatorError("the events", f"{accepted} accepted", f"all {events}")

    async def _serve(self, load: Load, numbers: ItemNumbers) -> None:
        rng = np.random.default_rng(SEED)
        store = ServedLists(self.redis, self.keys, DEFAULT_SLOTS, numbers)
        task = self.progress.add_task("storing the lists", total=self.size.users)
        known = list(numbers.numbered(TENANT))
        now = as_datetime(wall_clock())
        for start in range(0, self.size.users, CHUNK):
            users = load.users[start : start + CHUNK]
            rows = rng.integers(len(known), size=(len(users), LIST_LENGTH))
            await store.put(
                [
                    _list(user, [known[row] for row in line], start + n, now)
                    for n, (user, line) in enumerate(zip(users, rows.tolist(), strict=True))
                ]
            )
            self.progress.update(task, completed=start + len(users))

    async def _used(self) -> int:
        return int((await self.redis.info("memory"))["used_memory"])

    async def _apart(self) -> Counter[str]:
        """Bytes by the first part of the key, of all keys but those of shoppers and lists."""
        found: Counter[str] = Counter()
        names: list[bytes] = []
        async for name in self.redis.scan_iter(f"{PREFIX}*", count=CHUNK):
            if name[len(PREFIX) : len(PREFIX) + 2] not in (b"u:", b"r:"):
                names.append(name)
        for start in range(0, len(names), CHUNK):
            part = names[start : start + CHUNK]
            pipeline = self.redis.pipeline(transaction=False)
            for name in part:
                pipeline.memory_usage(name.decode(), samples=0)
            for name, size in zip(part, await pipeline.execute(), strict=True):
                found[name[len(PREFIX) :].partition(b":")[0].decode()] += int(size)
        return found

    async def _value_bytes(self) -> dict[str, float]:
        """Of a shopper's value, by section: the means over _SAMPLED of them or somewhat more."""
        sums, seen = dict.fromkeys(("counters", "recent", "dedupe"), 0), 0
        async with aclosing(self._values()) as values:
            async for value in values:
                seen += 1
                for name, size in sections(value).items():
                    sums[name] += size
        return {name: round(total / seen, 1) for name, total in sums.items()}

    async def _values(self) -> AsyncGenerator[bytes, None]:
        seen, cursor = 0, 0
        while seen < _SAMPLED:
            cursor, names = await self.redis.scan(cursor, f"{PREFIX}u:*", CHUNK)
            found = cast(list[bytes | None], await self.redis.mget(names)) if names else []
            for value in filter(None, found):
                seen += 1
                yield value
            if not cursor:
                return

    def _per_million(self, size: float) -> float:
        return round(size / self.size.users * MILLION / MIB, 1)


def sections(value: bytes) -> Mapping[str, int]:
    """Bytes of a shopper's value: fields of fixed size, recent items, and ids with their head."""
    fields = fields_of(value)
    fixed = sum(size for size in LAYOUT.sizes if size is not None)
    recent = LAYOUT.sizes.count(None) - 1  # links are left out where there are none
    if len(fields) < fixed + recent or len(LAYOUT.sizes) != len(USER_FEATURES):
        raise OperatorError("a shopper's value", f"{len(fields)} bytes of fields", "all fields")
    return {
        "counters": fixed,
        "recent": len(fields) - fixed,
        "dedupe": len(value) - len(fields),
    }


def _list(user: str, items: Sequence[str], offset: int, now: datetime) -> RecommendationList:
    ranked = [
        RankedItem(item, 1 / (place + 1), Source.EMBEDDING, "") for place, item in enumerate(items)
    ]
    return RecommendationList(
        recommendation_id="made",
        tenant=TENANT,
        user=user,
        variant="default",
        items=tuple(ranked),
        model_version="embedding-v1",
        settings_digest="made",
        origin=Origin(TOPIC, 0, offset),
        event_time=now,
        log_time=now,
        published_at=now,
    )


async def bench(endpoint: RedisEndpoint, size: Size, console: Console) -> dict[str, Any]:
    """Leaves nothing behind. Raises OperatorError where the keys exist already."""
    facts, redis = machine(), connect(endpoint.url)
    keys = Keys(PREFIX)
    try:
        await load_functions(redis)
        await fix_slots(redis, keys, DEFAULT_SLOTS)
        if await redis.exists(*(keys.fences(slot) for slot in range(DEFAULT_SLOTS))):
            raise OperatorError("Redis", f"keys under {PREFIX}", "none", "Delete them first")
        try:
            with Progress(console=console, transient=True) as progress:
                found = await Measuring(redis, size, progress).run()
        finally:
            await _forget(redis)
        server = await server_version(redis)
    finally:
        await redis.aclose()
    return {
        **found,
        "server": server,
        "users": size.users,
        "items": size.items,
        "scaled_by": round(MILLION / size.users, 3),
        "events_per_user": EVENTS_PER_SHOPPER,
        "days": DAYS,
        "dedupe_window_hours": WINDOW_MS // 3_600_000,
        "list_length": LIST_LENGTH,
        "redis": endpoint.name,
        "broker": "none: the recorder is called as the recommender calls it",
        **facts,
    }


async def _forget(redis: Redis) -> None:
    names: list[bytes] = []
    async for name in redis.scan_iter(f"{PREFIX}*", count=5_000):
        names.append(name)
        if len(names) == 1_000:
            await redis.unlink(*names)
            names.clear()
    if names:
        await redis.unlink(*names)


def main(size: Size, soak_minutes: float, console: Console) -> dict[str, Any]:
    """On a Redis started here, unless the environment names one; that one should be at rest."""
    with brokers.redis() as redis:
        found = asyncio.run(bench(redis, size, console))
    return found | soak.main(soak_minutes, console) if soak_minutes else found
