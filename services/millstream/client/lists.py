"""Every shopper's newest list, followed from the topic and kept in memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from aiokafka import AIOKafkaConsumer

from millstream.domain.lists import RecommendationList
from millstream.streaming.followers import Follower

if TYPE_CHECKING:
    from aiokafka.structs import ConsumerRecord

Wanted = Callable[[RecommendationList], bool]

_LISTS = msgspec.json.Decoder(RecommendationList)


class NewestLists:
    """The newest list per record key, of at most `capacity` shoppers: those whose list came or
    was asked for least lately are forgotten first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lists: OrderedDict[bytes, RecommendationList] = OrderedDict()

    def __len__(self) -> int:
        return len(self._lists)

    def get(self, key: bytes) -> RecommendationList | None:
        found = self._lists.get(key)
        if found is not None:
            self._lists.move_to_end(key)
        return found

    def put(self, key: bytes, value: bytes | None) -> None:
        """A record of the topic: a null value removes, an older list than the one kept and one
        that does not read as a list change nothing."""
        if value is None:
            self._lists.pop(key, None)
            return
        try:
            given = _LISTS.decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return
        kept = self._lists.get(key)
        if kept is None or given.freshness >= kept.freshness:
            self._lists[key] = given
            self._lists.move_to_end(key)
        if len(self._lists) > self._capacity:
            self._lists.popitem(last=False)


class ListFollower:
    """Reads all partitions from the start, in no group: each process has its tenant's lists."""

    def __init__(self, consumer: AIOKafkaConsumer, tenant: str, capacity: int) -> None:
        self._tenant_part = f"{tenant}:".encode()
        self._newest = NewestLists(capacity)
        self._news = asyncio.Condition()
        self._follower = Follower(consumer, self._take, self._tell)

    async def start(self) -> None:
        await self._follower.start()

    async def close(self) -> None:
        await self._follower.close()

    async def current(self, key: bytes, timeout: float) -> RecommendationList | None:
        """From memory, once the topic has been read up to where it ended at start; raises
        TimeoutError if that takes longer than `timeout` seconds, and what ended the follower."""
        if not await self._until(self._follower.caught_up.is_set, timeout):
            raise TimeoutError("the lists have not all been read yet")
        return self._newest.get(key)

    async def awaited(
        self, key: bytes, wanted: Wanted, timeout: float
    ) -> RecommendationList | None:
        """As `current`, but None unless a list as wanted comes within `timeout` seconds."""

        def has_come() -> bool:
            found = self._newest.get(key)
            return self._follower.caught_up.is_set() and found is not None and wanted(found)

        if await self._until(has_come, timeout):
            return self._newest.get(key)
        if not self._follower.caught_up.is_set():
            raise TimeoutError("the lists have not all been read yet")
        return None

    async def _until(self, ready: Callable[[], bool], timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout), self._news:
                await self._news.wait_for(lambda: ready() or self._follower.has_ended)
        except TimeoutError:
            return False
        self._follower.raise_what_ended_it()
        return ready()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _take(self, record: ConsumerRecord[Any, Any]) -> None:
        if record.key is not None and record.key.startswith(self._tenant_part):
            self._newest.put(record.key, record.value)
