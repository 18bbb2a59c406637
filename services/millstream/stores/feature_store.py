"""Shoppers and items in Redis: the atomic apply, and what reads back."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import msgspec
from redis.asyncio import Redis

from millstream.domain.acceptance import WINDOW_MS
from millstream.domain.events import TYPE_ORDER
from millstream.domain.identity import ShopperName, slot_of
from millstream.features.item_counts import ItemCounts
from millstream.features.layout import Names
from millstream.features.state import NAMELESS, PROGRAM, ShopperState
from millstream.stores.calls import fcall_pipeline, replies
from millstream.stores.fences import LEDGER, field_of
from millstream.stores.keys import Keys
from millstream.stores.shopper_values import fields_of

MAX_EVENT_IDS = 10_000
"""Event ids held per shopper within the dedupe window; past that an event is over-full."""

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
    ops: bytes  # stores/ops.py


@dataclass(frozen=True, slots=True)
class SlotReply:
    status: Status
    fence: int
    verdicts: str
    """A letter per op (see recs_apply_v2); empty unless OK."""
    states: Sequence[bytes]
    """Per shopper of the call the packed fields; empty for one erased or never seen."""


class FeatureStore:
    contract = "recs_apply_v2"
    """Another name wherever arguments or replies change: both stay loaded until the last worker of
    the older release is gone."""
    program = PROGRAM
    window_ms = WINDOW_MS

    def __init__(self, redis: Redis, keys: Keys, slots: int, partitions: int) -> None:
        self._redis = redis
        self._keys = keys
        self._slots = slots
        self.expect(partitions)

    def expect(self, partitions: int) -> None:
        """So many must have a clock before ids are forgotten."""
        self._limits = _encode([self.window_ms, MAX_EVENT_IDS, partitions])

    async def apply(self, calls: Sequence[SlotCall], epoch: str = "0") -> list[SlotReply]:
        """Applies each call atomically, all in one round trip. May be repeated.
        Raises as calls.replies does."""
        requests = [(self._apply_keys(c), self._apply_arguments(c, epoch)) for c in calls]
        replies = await fcall_pipeline(self._redis, self.contract, requests)
        return [_reply(raw) for raw in replies]

    def _apply_keys(self, call: SlotCall) -> list[str]:
        slot, keys = call.slot, self._keys
        names = [keys.fences(slot), keys.clocks(slot), keys.erased(slot), keys.dirty(slot)]
        names += [keys.owed(slot), keys.replayed(slot), keys.never_written(slot)]
        names += [keys.item_partials(slot, tenant) for tenant in call.tenants]
        for tenant, shopper in call.shoppers:
            names.append(keys.shopper(slot, tenant, shopper))
            names.append(keys.event_ids(slot, tenant, shopper))
        return names

    def _apply_arguments(self, call: SlotCall, epoch: str) -> list[bytes | str | int]:
        return [
            field_of(epoch, *call.source),
            epoch,
            call.start,
            call.to,
            call.clock_ms,
            call.witness,
            self._limits,
            self.program,
            _encode(call.tenants),
            len(self._keys.shopper(call.slot, "", "")) - 1,
            call.ops,
        ]

    async def shopper(self, tenant: str, shopper: str, names: Names = NAMELESS) -> ShopperState:
        key = self._keys.shopper(slot_of(tenant, shopper, self._slots), tenant, shopper)
        return ShopperState(fields_of(cast(bytes | None, await self._redis.get(key))), names)

    async def packed_states(self, names: Iterable[ShopperName]) -> dict[ShopperName, bytes]:
        """The packed state of each, for ShopperState; one round trip."""
        wanted = list(dict.fromkeys(names))
        pipeline = self._redis.pipeline(transaction=False)
        for name in wanted:
            pipeline.get(self._keys.shopper(slot_of(*name, self._slots), *name))
        found = cast(list[bytes | None], await replies(pipeline))
        return {name: fields_of(value) for name, value in zip(wanted, found, strict=True)}

    async def item(self, tenant: str, item_id: str) -> ItemCounts:
        """The totals over all slots, as the last sweep left them."""
        found = await cast(
            Awaitable[dict[bytes, bytes]],
            self._redis.hgetall(self._keys.item_totals(tenant, item_id)),
        )
        return ItemCounts({TYPE_ORDER[int(kind)]: int(n) for kind, n in found.items()})

    async def ledger(self) -> dict[str, int]:
        """Sums over the slots and partitions, of all epochs: fences.LEDGER and itm."""
        pipeline = self._redis.pipeline(transaction=False)
        for slot in range(self._slots):
            pipeline.hgetall(self._keys.fences(slot))
        sums = dict.fromkeys((*LEDGER, "itm"), 0)
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
