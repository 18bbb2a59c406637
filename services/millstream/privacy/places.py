"""Each place that holds something of a shopper, and how it is asked what is left."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

import structlog

from millstream.domain.acceptance import Shopper
from millstream.domain.erasures import Marks, Read, event_of, verdict_of
from millstream.domain.lists import Origin
from millstream.privacy.announce import SentRecord
from millstream.privacy.lists import ListWatch
from millstream.privacy.reverse_table import Rows
from millstream.stores.erased_attributions import ErasedAttributions
from millstream.stores.erasures import ErasedState
from millstream.stores.lake import LakeDamaged, is_forgotten, remembered
from millstream.streaming.topics import EVENTS, REVIEW_VERDICTS

KEPT: Mapping[str, Read] = {EVENTS: event_of, REVIEW_VERDICTS: verdict_of}
"""The topics that a lake keeps, and whose a record of each is: all that is counted exactly, so that
a wiped Redis can be counted anew after retention has passed."""

_log = structlog.get_logger("millstream.privacy")


class Place(Protocol):
    name: str
    what: str
    how: str
    """How it is checked, for the operator."""
    within_s: float
    """How long it may take until nothing is left."""

    async def count(self, marks: Marks) -> int | None:
        """What there is from up to the marks; None where that can't be seen from here."""

    async def left(self, marks: Marks) -> int | None:
        """As `count`, once the erasure has come here; None before that: a zero might not last."""


class RedisPlace:
    name = "redis"
    what = "keys with counts (u), ids of events and reviews (u, d) or the served list (r)"
    how = "read by key, beside the mark (x), which stays to refuse old records"
    within_s = 5.0

    def __init__(self, state: ErasedState) -> None:
        self._state = state

    async def count(self, marks: Marks) -> int | None:
        return await self._state.remaining(marks)

    left = count


class AttributionPlace:
    name = "attribution"
    what = "keys with the shopper's last lists (ah) or experiments (ax)"
    how = (
        "read by key in every partition, after attribution has read the erasure, where it ever ran"
    )
    within_s = 10.0

    def __init__(self, held: ErasedAttributions) -> None:
        self._held = held
        self._lists: dict[int, int] = {}
        self._events: dict[int, int] = {}

    async def clear(self, marks: Marks) -> None:
        await self._held.clear(marks)

    def expect(self, event: Origin, tombstone: SentRecord) -> None:
        """Where the erasure stands in the two topics that attribution reads."""
        for offsets, partition, offset in (
            (self._events, event.partition, event.offset),
            (self._lists, tombstone.partition, tombstone.offset),
        ):
            offsets[partition] = max(offset, offsets.get(partition, -1))

    async def count(self, marks: Marks) -> int | None:
        return await self._held.remaining(marks)

    async def left(self, marks: Marks) -> int | None:
        if not await self._held.has_passed(self._lists, self._events):
            return None
        return await self.count(marks)


class ListPlace:
    name = "lists"
    what = "shoppers whose newest record on the lists topic is a list"
    how = "the partitions of their keys, read from the beginning to the end and followed"
    within_s = 10.0

    def __init__(self, watch: ListWatch) -> None:
        self._watch = watch

    async def count(self, marks: Marks) -> int | None:
        return self._watch.remaining(marks)

    left = count


class LakePlace:
    name = "lake"
    what = "events and verdicts on reviews in the Parquet files, which trainers read"
    how = "every file in force read, after the lake noted that it has been through all of them"

    def __init__(self, root: Path, kept: Mapping[str, Read], within_s: float) -> None:
        """`kept`: by topic, whose a record of it is."""
        self._root = root
        self._kept = kept
        self.within_s = within_s

    async def count(self, marks: Marks) -> int | None:
        if not self._root.is_dir():
            return None
        try:
            return await asyncio.to_thread(self._remembered, marks)
        except LakeDamaged as damaged:
            # Nothing is proven of the lake; everywhere else the shopper is erased all the same.
            _log.warning("privacy.lake_not_read", why=str(damaged))
            return None

    async def left(self, marks: Marks) -> int | None:
        for topic in self._kept:
            if not await asyncio.to_thread(is_forgotten, self._root, topic, marks):
                return None
        return await self.count(marks)

    def _remembered(self, marks: Marks) -> int:
        return sum(remembered(self._root, topic, marks, read) for topic, read in self._kept.items())


class ReversePlace:
    name = "reverse"
    what = "entries of the reverse table, each with its key"
    how = "looked up by pseudonym; a deleted row is overwritten in the file"
    within_s = 5.0

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def count(self, marks: Marks) -> int | None:
        found = [await asyncio.to_thread(self._rows.get, *name) for name in marks]
        return sum(row is not None for row in found)

    left = count

    async def destroy(self, shoppers: Collection[Shopper]) -> None:
        for name in shoppers:
            await asyncio.to_thread(self._rows.delete, *name)
