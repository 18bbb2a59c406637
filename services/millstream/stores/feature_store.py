"""Shoppers and items in Redis: the atomic apply, and what reads back."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import msgspec
from redis.asyncio import Redis

from millstream.domain.acceptance import WINDOW_MS
from millstream.domain.events import TYPE_ORDER
from millstream.domain.identity import slot_of
from millstream.features.item_counts import ItemCounts
from millstream.features.state import PROGRAM, ShopperState
from millstream.stores.calls import fcall_pipeline, replies
from millstream.stores.fences import field_of
from millstream.stores.keys import Keys

BAD_RECORD = -1
LATE_RECORD = -2
MAX_EVENT_IDS = 10_000
"""Event ids held per shopper within the dedupe window; past that an event is over-full."""

Op = tuple[Any, ...]
"""(offset, log ms, BAD_RECORD | LATE_RECORD) or (offset, log ms, type index, shopper index,
tenant index, event ms, [item, ...])."""

_encode = msgspec.msgpack.Encoder().encode


class Status(StrEnum):
    OK = "OK"
    STALE = "STALE"
    GAP = "GAP"
    EPOCH = "EPOCH"


@dataclass(frozen=True, slots=True)
class SlotCall:
    """A range of one partition's log and what of it belongs to one slot."""

    slot: int
    source: tuple[str, int]  # topic, partition
    start: int
    to: int
    clock_ms: int
    witness: str
    tenants: Sequence[str]
    shoppers: Sequence[tuple[str, str]]  # (tenant, shopper)
    ops: Sequence[Op]
    digests: bytes  # 16 bytes for each op that is neither bad nor late


@dataclass(frozen=True, slots=True)
class SlotReply:
    status: Status
    fence: int
    verdicts: str
    """A letter per op (see recs_apply_v1); empty unless OK."""
    states: Sequence[bytes | None]


class FeatureStore:
    def __init__(self, redis: Redis, keys: Keys, slots: int, partitions: int) -> None:
        self._redis = redis
        self._keys = keys
        self._slots = slots
        self._limits = _encode([WINDOW_MS, MAX_EVENT_IDS, partitions])

    async def apply(self, calls: Sequence[SlotCall], epoch: str = "0") -> list[SlotReply]:
        """Applies each call atomically, all in one round trip. May be repeated.
        Raises as calls.replies does."""
        requests = [(self._apply_keys(c), self._apply_arguments(c, epoch)) for c in calls]
        replies = await fcall_pipeline(self._redis, "recs_apply_v1", requests)
        return [_reply(raw) for raw in replies]

    def _apply_keys(self, call: SlotCall) -> list[str]:
        slot, keys = call.slot, self._keys
        names = [keys.fences(slot), keys.clocks(slot), keys.erased(slot), keys.dirty(slot)]
        names += [keys.item_partials(slot, tenant) for tenant in call.tenants]
        for tenant, shopper in call.shoppers:
            names.append(keys.shopper(slot, tenant, shopper))
            names.append(keys.event_ids(slot, tenant, shopper))
        return names

    def _apply_arguments(self, call: SlotCall, epoch: str) -> list[bytes | str | int]:
        return [
            field_of(*call.source),
            epoch,
            call.start,
            call.to,
            call.clock_ms,
            call.witness,
            self._limits,
            PROGRAM,
            _encode(call.tenants),
            _encode([f"{tenant}:{shopper}" for tenant, shopper in call.shoppers]),
            _encode(call.ops),
            call.digests,
        ]

    async def shopper(self, tenant: str, shopper: str) -> ShopperState:
        key = self._keys.shopper(slot_of(tenant, shopper, self._slots), tenant, shopper)
        return ShopperState(cast(bytes | None, await self._redis.get(key)))

    async def item(self, tenant: str, item_id: str) -> ItemCounts:
        """The totals over all slots, as the last sweep left them."""
        found = await cast(
            Awaitable[dict[bytes, bytes]],
            self._redis.hgetall(self._keys.item_totals(tenant, item_id)),
        )
        return ItemCounts({TYPE_ORDER[int(kind)]: int(n) for kind, n in found.items()})

    async def ledger(self) -> dict[str, int]:
        """Sums over the slots and partitions: acc, dup, late, era, over, bad, itm."""
        pipeline = self._redis.pipeline(transaction=False)
        for slot in range(self._slots):
            pipeline.hgetall(self._keys.fences(slot))
        sums = dict.fromkeys(("acc", "dup", "late", "era", "over", "bad", "itm"), 0)
        for fences in await replies(pipeline):
            for name, value in fences.items():
                counter = name.decode().partition(":")[0]
                if counter in sums:
                    sums[counter] += int(value)
        return sums


def _reply(raw: list[Any]) -> SlotReply:
    status = Status(raw[0].decode())
    if status in (Status.GAP, Status.EPOCH):
        return SlotReply(status, int(raw[1]), "", ())
    return SlotReply(status, int(raw[1]), raw[2].decode(), raw[3:])
