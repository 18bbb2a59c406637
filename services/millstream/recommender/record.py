"""Stage: count every event exactly once, in one atomic call per state slot."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from millstream.domain.clock import Clock
from millstream.domain.errors import Halt, Reason
from millstream.domain.events import TYPE_INDEX
from millstream.domain.identity import event_digest, slot_of
from millstream.features.state import ShopperState
from millstream.stores.feature_store import (
    BAD_RECORD,
    LATE_RECORD,
    FeatureStore,
    Op,
    SlotCall,
    SlotReply,
    Status,
)
from millstream.stores.fences import field_of
from millstream.streaming.decode import Arrival, Decoded, Letter

IDLE_RECORDS = 5_000
IDLE_MS = 1_000

ShopperName = tuple[str, str]
"""(tenant, shopper)."""


class FenceMoved(Exception):  # noqa: N818
    """A slot stands behind what we took for granted: read the fences again and go back there."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """`counted`: arrivals that changed state in this call. `over`: those whose shopper has as many
    event ids as may be held. `due`: per shopper the newest arrival whose list is owed, be it
    counted now or by a worker that died before it could publish."""

    counted: Sequence[Arrival]
    over: Sequence[Arrival]
    due: dict[ShopperName, Arrival]
    states: dict[ShopperName, ShopperState]
    verdicts: Counter[str]


@dataclass
class _SlotBatch:
    """What of a range belongs to one slot, as the call wants it."""

    tenants: dict[str, int] = field(default_factory=dict)
    shoppers: dict[ShopperName, int] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    arrivals: list[Arrival | None] = field(default_factory=list)
    digests: bytearray = field(default_factory=bytearray)

    def add(self, arrival: Arrival, name: ShopperName) -> None:
        event = arrival.event
        self.digests += event_digest(event.event_id)
        self.arrivals.append(arrival)
        self.ops.append(
            (
                arrival.offset,
                arrival.log_ms,
                TYPE_INDEX[event.type],
                self.shoppers.setdefault(name, len(self.shoppers)),
                self.tenants.setdefault(event.tenant, len(self.tenants)),
                event.time_ms,
                [line.item_id for line in event.items],
            )
        )

    def add_letter(self, letter: Letter) -> None:
        kind = LATE_RECORD if letter.reason is Reason.LATE else BAD_RECORD
        self.arrivals.append(None)
        self.ops.append((letter.offset, letter.log_ms, kind))


class Recorder:
    """Keeps, per partition, where each slot stands (`L` of the protocol, docs/exactness.md)."""

    def __init__(self, store: FeatureStore, slots: int, clock: Clock) -> None:
        self._store = store
        self._slots = slots
        self._clock = clock
        self._fences: dict[tuple[str, int], list[int]] = {}
        self._idle: dict[tuple[str, int], tuple[Decoded, int]] = {}
        self._epoch = "0"

    def resume(self, fences: dict[tuple[str, int], Sequence[int]], epoch: str) -> None:
        """The fences of all assigned partitions, as Redis has them now."""
        self._fences = {tp: list(per_slot) for tp, per_slot in fences.items()}
        self._idle.clear()
        self._epoch = epoch

    async def record(self, ranges: Sequence[Decoded]) -> Recorded:
        """At most one range per partition, all in one round trip. Raises FenceMoved when a slot
        rolled back, Halt when the epoch changed. May be repeated: a range that a slot has already
        is not counted again."""
        batches: list[_SlotBatch] = []
        calls: list[SlotCall] = []
        for decoded in ranges:
            for slot, batch in self._slots_of(decoded):
                batches.append(batch)
                calls.append(self._call(decoded, slot, batch))
        fences = self._fences
        replies = await self._store.apply(calls, self._epoch)
        self._settle(calls, replies)
        if self._fences is fences:
            for decoded in ranges:
                self._note_idle(decoded)
        return _recorded(batches, replies)

    async def advance_idle(self) -> None:
        """Brings slots without events up to their partition's position, so that a restart need
        not read back to where they last had one. Raises as `record` does."""
        calls = [
            self._call(decoded, slot, _SlotBatch())
            for tp, (decoded, _) in self._idle.items()
            for slot, at in enumerate(self._fences.get(tp, ()))
            if at < decoded.to
        ]
        self._settle(calls, await self._store.apply(calls, self._epoch))

    def _slots_of(self, decoded: Decoded) -> list[tuple[int, _SlotBatch]]:
        """What each slot gets of a range, and an empty call for slots that are far behind."""
        tp = (decoded.topic, decoded.partition)
        if tp not in self._fences:
            raise FenceMoved(f"partition {decoded.partition} went to another worker")
        batches = self._by_slot(decoded)
        idle = self._overdue(tp, decoded) - batches.keys()
        return [*batches.items(), *((slot, _SlotBatch()) for slot in idle)]

    def _by_slot(self, decoded: Decoded) -> dict[int, _SlotBatch]:
        batches: dict[int, _SlotBatch] = {}
        place: list[tuple[int, int, Arrival | Letter]] = [
            (a.offset, slot_of(a.event.tenant, a.event.shopper, self._slots), a)
            for a in decoded.arrivals
        ]
        if decoded.letters:
            key = field_of(decoded.topic, decoded.partition)
            place += [
                (x.offset, _letter_slot(key, x.offset, self._slots), x) for x in decoded.letters
            ]
            place.sort(key=lambda row: row[0])
        for _, slot, what in place:
            batch = batches.get(slot)
            if batch is None:
                batch = batches[slot] = _SlotBatch()
            if isinstance(what, Arrival):
                batch.add(what, (what.event.tenant, what.event.shopper))
            else:
                batch.add_letter(what)
        return batches

    def _overdue(self, tp: tuple[str, int], decoded: Decoded) -> set[int]:
        due = tp in self._idle and self._clock() - self._idle[tp][1] >= IDLE_MS
        return {
            slot
            for slot, at in enumerate(self._fences[tp])
            if decoded.to - at >= IDLE_RECORDS or (due and at < decoded.to)
        }

    def _note_idle(self, decoded: Decoded) -> None:
        """Only of a range that every slot it concerns has taken, under fences that still hold:
        `advance_idle` claims that the other slots have nothing in it."""
        tp, now = (decoded.topic, decoded.partition), self._clock()
        since = self._idle[tp][1] if tp in self._idle else now
        self._idle[tp] = (decoded, now if now - since >= IDLE_MS else since)

    def _call(self, decoded: Decoded, slot: int, batch: _SlotBatch) -> SlotCall:
        tp = (decoded.topic, decoded.partition)
        return SlotCall(
            slot=slot,
            source=tp,
            start=min(self._fences[tp][slot], decoded.start),
            to=decoded.to,
            clock_ms=decoded.clock_ms,
            witness=decoded.witness,
            tenants=list(batch.tenants),
            shoppers=list(batch.shoppers),
            ops=batch.ops,
            digests=bytes(batch.digests),
        )

    def _settle(self, calls: Sequence[SlotCall], replies: Sequence[SlotReply]) -> None:
        for call, reply in zip(calls, replies, strict=True):
            if reply.status is Status.EPOCH:
                raise Halt(
                    "Redis is in another epoch than this worker: an operator reset the positions; "
                    "start the worker again"
                )
            if reply.status is Status.GAP:
                raise FenceMoved(f"slot {call.slot} stands at {reply.fence}")
            if call.source in self._fences:  # it may have gone to another worker meanwhile
                self._fences[call.source][call.slot] = reply.fence


def _letter_slot(partition: str, offset: int, slots: int) -> int:
    return zlib.crc32(f"{partition}:{offset}".encode()) % slots


def _recorded(batches: Sequence[_SlotBatch], replies: Sequence[SlotReply]) -> Recorded:
    counted: list[Arrival] = []
    over: list[Arrival] = []
    due: dict[ShopperName, Arrival] = {}
    states: dict[ShopperName, ShopperState] = {}
    verdicts: Counter[str] = Counter()
    for batch, reply in zip(batches, replies, strict=True):
        said = reply.verdicts or "-" * len(batch.ops)
        verdicts.update(said)
        for arrival, verdict in zip(batch.arrivals, said, strict=True):
            if arrival is None:
                continue
            if verdict == "a":
                counted.append(arrival)
            elif verdict == "o":
                over.append(arrival)
            if verdict in "a-":
                _keep_newest(due, arrival)
        for name, packed in zip(batch.shoppers, reply.states, strict=True):
            states[name] = ShopperState(packed)
    return Recorded(counted, over, due, states, verdicts)


def _keep_newest(due: dict[ShopperName, Arrival], arrival: Arrival) -> None:
    """A shopper's events lie on one partition, unless a producer hashes keys otherwise."""
    name = (arrival.event.tenant, arrival.event.shopper)
    known = due.get(name)
    if known is None or known.partition == arrival.partition or known.log_ms <= arrival.log_ms:
        due[name] = arrival
