"""Verdicts on reviews in Redis: the same atomic call, on keys of its own, with what differs."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterable
from typing import cast

from redis.asyncio import Redis

from millstream.domain.reviews import VERDICT_ORDER, ReviewCounts, Verdict
from millstream.features.writes import compile_program
from millstream.stores.calls import replies
from millstream.stores.feature_store import FeatureStore
from millstream.stores.keys import Keys

BATCH = 500
_FOR_EVER_MS = 2**52

ReviewedItem = tuple[str, str]
"""(tenant, item)."""


def review_keys(prefix: str) -> Keys:
    """Those of a deployment's reviews; `prefix`: of all its keys."""
    return Keys(f"{prefix}reviews:")


class VerdictStore(FeatureStore):
    """A shopper writes few reviews: their ids are never forgotten, so that a second verdict is a
    duplicate however late it comes. Nothing else is kept of a shopper."""

    program = compile_program(())
    window_ms = _FOR_EVER_MS


class ReviewTotals:
    """Good and bad reviews of items, as the last sweep of stores.item_totals left them. Methods
    raise as calls.replies does."""

    def __init__(self, redis: Redis, keys: Keys, slots: int) -> None:
        self._redis = redis
        self._keys = keys
        self._slots = slots

    async def know(self, tenants: Collection[str]) -> None:
        """Tenants whose items a whole sweep sums; to be told before their first verdict counts."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.sadd(self._keys.tenants(), *tenants)
        await replies(pipeline)

    async def read(self, items: Iterable[ReviewedItem]) -> list[ReviewCounts]:
        """Of each, zeros where nothing was counted."""
        wanted = list(items)
        found: list[ReviewCounts] = []
        for start in range(0, len(wanted), BATCH):
            part = wanted[start : start + BATCH]
            pipeline = self._redis.pipeline(transaction=False)
            for item in part:
                pipeline.hgetall(self._keys.item_totals(*item))
            found += map(_counts, part, await replies(pipeline))
        return found

    async def items(self) -> set[ReviewedItem]:
        """All with a verdict; reads in steps, never blocks the server."""
        names = await cast(Awaitable[set[bytes]], self._redis.smembers(self._keys.tenants()))
        found: set[ReviewedItem] = set()
        for tenant in (name.decode() for name in names):
            for slot in range(self._slots):
                key = self._keys.item_partials(slot, tenant)
                async for field, _ in self._redis.hscan_iter(key, count=BATCH):
                    found.add((tenant, field.decode().partition("|")[2]))
        return found


def _counts(item: ReviewedItem, totals: dict[bytes, bytes]) -> ReviewCounts:
    by = {VERDICT_ORDER[int(kind)]: int(n) for kind, n in totals.items()}
    return ReviewCounts(
        tenant=item[0],
        item_id=item[1],
        good=by.get(Verdict.GOOD, 0),
        bad=by.get(Verdict.BAD, 0),
    )
