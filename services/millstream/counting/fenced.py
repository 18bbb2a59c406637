"""Counting a log exactly once, in one atomic call per state slot: the state machine around
recs_apply_v2 (docs/exactness.md). What the records of a topic are to the call, its own counter says
(recommender/record.py, insights/reviews/count.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from millstream.counting.batch import SlotBatch
from millstream.domain.clock import Clock
from millstream.domain.errors import Halt
from millstream.domain.identity import ShopperName
from millstream.features.layout import Names
from millstream.features.state import NAMELESS, ShopperState
from millstream.stores.feature_store import FeatureStore, SlotCall, SlotReply, Status
from millstream.streaming.decode import Arrival, Decoded

IDLE_RECORDS = 5_000
IDLE_MS = 1_000


def _nameless(_tenant: str) -> Names:
    return NAMELESS


class FenceMoved(Exception):  # noqa: N818
    """A slot stands behind what we took for granted: read the fences again and go back there."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """`counted`: arrivals that changed state in this call. `over`: those whose shopper has as many
    event ids as may be held. `due`: per shopper the newest arrival whose list is owed, be it
    counted now or by a worker that died before it could publish. `by_tenant`: the verdicts, None
    where a record is nobody's."""

    counted: Sequence[Arrival]
    over: Sequence[Arrival]
    due: dict[ShopperName, Arrival]
    states: dict[ShopperName, ShopperState]
    verdicts: Counter[str]
    by_tenant: Counter[tuple[str | None, str]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A range ready to be recorded."""

    decoded: Decoded
    by_slot: dict[int, SlotBatch]


class FencedCounter:
    """Keeps, per partition, where each slot stands (`L` of the protocol, docs/exactness.md)."""

    def __init__(
        self, store: FeatureStore, clock: Clock, names: Callable[[str], Names] = _nameless
    ) -> None:
        """`names`: by tenant those of the items in the states that come back."""
        self._store = store
        self._clock = clock
        self._names = names
        self._fences: dict[tuple[str, int], list[int]] = {}
        self._idle: dict[tuple[str, int], tuple[Decoded, int]] = {}
        self._epoch = "0"

    def resume(self, fences: Mapping[tuple[str, int], Sequence[int]], epoch: str) -> None:
        """The fences of all assigned partitions, as Redis has them now."""
        self._fences = {tp: list(per_slot) for tp, per_slot in fences.items()}
        self._idle.clear()
        self._epoch = epoch

    async def record(self, ranges: Sequence[Prepared]) -> Recorded:
        """At most one range per partition, all in one round trip. Raises FenceMoved when a slot
        rolled back, Halt when the epoch changed. May be repeated: a range that a slot has already
        is not counted again."""
        batches: list[SlotBatch] = []
        calls: list[SlotCall] = []
        for prepared in ranges:
            for slot, batch in self._slots_of(prepared):
                batches.append(batch)
                calls.append(self._call(prepared.decoded, slot, batch))
        fences = self._fences
        replies = await self._store.apply(calls, self._epoch)
        self._settle(calls, replies)
        if self._fences is fences:
            for prepared in ranges:
                self._note_idle(prepared.decoded)
        return self._recorded(batches, replies)

    async def advance_idle(self) -> None:
        """Brings slots without events up to their partition's position, so that a restart need
        not read back to where they last had one. Raises as `record` does."""
        calls = [
            self._call(decoded, slot, SlotBatch())
            for tp, (decoded, _) in self._idle.items()
            for slot, at in enumerate(self._fences.get(tp, ()))
            if at < decoded.to
        ]
        self._settle(calls, await self._store.apply(calls, self._epoch))

    def _slots_of(self, prepared: Prepared) -> list[tuple[int, SlotBatch]]:
        """What each slot gets of a range, and an empty call for slots that are far behind."""
        decoded, batches = prepared.decoded, prepared.by_slot
        tp = (decoded.topic, decoded.partition)
        if tp not in self._fences:
            raise FenceMoved(f"partition {decoded.partition} went to another worker")
        idle = self._overdue(tp, decoded) - batches.keys()
        return [*batches.items(), *((slot, SlotBatch()) for slot in idle)]

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

    def _call(self, decoded: Decoded, slot: int, batch: SlotBatch) -> SlotCall:
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
            ops=b"".join(batch.ops),
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

    def _recorded(self, batches: Sequence[SlotBatch], replies: Sequence[SlotReply]) -> Recorded:
        counted: list[Arrival] = []
        over: list[Arrival] = []
        due: dict[ShopperName, Arrival] = {}
        states: dict[ShopperName, ShopperState] = {}
        verdicts: Counter[str] = Counter()
        by_tenant: Counter[tuple[str | None, str]] = Counter()
        for batch, reply in zip(batches, replies, strict=True):
            said = reply.verdicts or "-" * len(batch.ops)
            verdicts.update(said)
            by_tenant.update(zip(batch.whose, said, strict=True))
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
                states[name] = ShopperState(packed, self._names(name[0]))
        return Recorded(counted, over, due, states, verdicts, by_tenant)


def _keep_newest(due: dict[ShopperName, Arrival], arrival: Arrival) -> None:
    """A shopper's events lie on one partition, unless a producer hashes keys otherwise."""
    name = (arrival.event.tenant, arrival.event.shopper)
    known = due.get(name)
    if known is None or known.partition == arrival.partition or known.log_ms <= arrival.log_ms:
        due[name] = arrival
