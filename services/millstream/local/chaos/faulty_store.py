"""A store whose calls die, are made twice or come late."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from millstream.stores.feature_store import FeatureStore, SlotCall, SlotReply
from millstream.stores.keys import Keys

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis

SLOTS = 4


class Killed(Exception):  # noqa: N818
    """The worker is gone at this point."""


class FaultyStore(FeatureStore):
    """Kills its worker before or after the calls, or holds them back for a zombie to make."""

    def __init__(self, redis: Redis, keys: Keys, partitions: int, rng: random.Random) -> None:
        super().__init__(redis, keys, SLOTS, partitions)
        self._rng = rng
        self.fault_rate = 0.3
        self.held_back: list[list[SlotCall]] = []
        self.faults: Counter[str] = Counter()

    async def apply(self, calls: Sequence[SlotCall], epoch: str = "0") -> list[SlotReply]:
        chance = self._rng.random() / self.fault_rate if self.fault_rate else 1.0
        if chance < 0.3:
            self._die("before")
        if chance < 0.6:
            self.held_back.append(list(calls))
            self._die("held back")
        if chance < 0.7:
            await super().apply(calls[: len(calls) // 2], epoch)
            self._die("between")
        replies = await super().apply(calls, epoch)
        if chance < 0.85:
            self._die("after")
        if chance < 1.0:
            self.faults["repeated"] += 1
            return await super().apply(calls, epoch) if chance < 0.92 else replies
        return replies

    def _die(self, where: str) -> None:
        self.faults[where] += 1
        raise Killed(where)

    async def wake_zombie(self) -> None:
        if self.held_back:
            late = self.held_back.pop(self._rng.randrange(len(self.held_back)))
            self.faults["late call"] += 1
            await super().apply(late)
