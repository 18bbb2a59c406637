"""Counts of reviews to their compacted topic, from where rankings and gateways take them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from millstream.domain.identity import record_key
from millstream.domain.reviews import ReviewCounts
from millstream.insights.publish import AT_ONCE, Producer
from millstream.stores.review_book import ReviewBook
from millstream.stores.verdict_store import ReviewedItem

TELL_SECONDS = 1.0
TELL_ALL_SECONDS = 3600.0


class Sweep(Protocol):
    """As stores.item_totals.ItemTotals."""

    async def sweep_dirty(self) -> int: ...

    async def sweep_all(self) -> int: ...


class Totals(Protocol):
    """As stores.verdict_store.ReviewTotals."""

    async def read(self, items: Collection[ReviewedItem], /) -> list[ReviewCounts]: ...

    async def items(self) -> set[ReviewedItem]: ...


@dataclass
class CountTeller:
    """`told`: what stands on the topic, read to its end. Absolute counts go out, so that one that
    is told twice says the same; what a process that died did not tell, the first `tell_all` of the
    next one does."""

    sweep: Sweep
    totals: Totals
    told: ReviewBook
    producer: Producer
    topic: str
    _changed: set[ReviewedItem] = field(default_factory=set)

    def changed(self, items: Collection[ReviewedItem]) -> None:
        """Their counts may be others now; `tell` looks."""
        self._changed |= set(items)

    async def run(self) -> None:
        """For ever, all first."""
        loop = asyncio.get_running_loop()
        all_at = loop.time()
        while True:
            if loop.time() >= all_at:
                await self.tell_all()
                all_at = loop.time() + TELL_ALL_SECONDS
            else:
                await self.tell()
            await asyncio.sleep(TELL_SECONDS)

    async def tell(self) -> None:
        """Returns when what changed is durable. Raises what the producer and the store raise."""
        items, self._changed = self._changed, set()
        await self.sweep.sweep_dirty()
        await self._publish(items)

    async def tell_all(self) -> None:
        """And takes back what no item has any more: counts of a store that was emptied."""
        self._changed = set()
        await self.sweep.sweep_all()
        await self._publish(await self.totals.items() | self.told.items())

    async def _publish(self, items: Collection[ReviewedItem]) -> None:
        records: list[tuple[bytes, bytes | None]] = []
        for counts in await self.totals.read(sorted(items)):
            told = self.told.get(counts.tenant, counts.item_id)
            if counts == told or (told is None and not counts.reviews):
                continue
            value = msgspec.json.encode(counts) if counts.reviews else None
            records.append((record_key(counts.tenant, counts.item_id), value))
        for start in range(0, len(records), AT_ONCE):
            part = records[start : start + AT_ONCE]
            await asyncio.gather(
                *(self.producer.send_and_wait(self.topic, value, key) for key, value in part)
            )
