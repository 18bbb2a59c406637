"""The oracle: what must be counted, told from the raw log alone.

Written from docs/exactness.md, sharing no code with the worker: its own reading of an event
(oracle_event.py), and none of slots, fences, ranges or forgetting. The order within a partition is
the log's; what lies on several partitions (a shopper's repeats) may come in any order, and the
traffic is made so that no count depends on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from millstream.local.chaos.oracle_event import NoEvent, Told, read

HORIZON_MS = 24 * 3_600_000
MOST_IDS = 10_000
REFUSED = frozenset({"bad", "late", "over"})

ShopperKey = tuple[str, str]
Count = tuple[str, str, str]
"""(tenant, shopper or item, event type)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies, and the log's own time of it."""

    partition: int
    offset: int
    log_ms: int


@dataclass(slots=True)
class _Shopper:
    """`first`: per accepted event id the earliest of its copies by log time, since which of them
    counted, and was owed a list, is not told by the log where they lie on several partitions."""

    first: dict[str, Place] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    mark_ms: int = -1

    @property
    def newest(self) -> Place | None:
        """Of what was accepted since the last farewell, that included."""
        return max(self.first.values(), key=lambda place: place.log_ms, default=None)

    @property
    def gone(self) -> bool:
        """Nothing was accepted since the last farewell."""
        return self.mark_ms >= 0 and len(self.first) == 1


@dataclass(frozen=True, slots=True)
class Due:
    """What must stand in Redis. `ends`: of the log, by partition; `newest`: per shopper the newest
    accepted record since the last farewell; `gone`: who said farewell and did nothing since;
    `refused`: places of which a letter is due."""

    ends: dict[int, int]
    ledger: Counter[str]
    users: Counter[Count]
    items: Counter[Count]
    erased: set[ShopperKey]
    newest: dict[ShopperKey, Place]
    gone: set[ShopperKey]
    ids: set[str]
    refused: set[tuple[int, int]]


@dataclass(slots=True)
class Oracle:
    """`ledger`: acc, dup, late, era, over, bad. Fed in the order of each partition."""

    ledger: Counter[str] = field(default_factory=Counter)
    items: Counter[Count] = field(default_factory=Counter)
    shoppers: defaultdict[ShopperKey, _Shopper] = field(
        default_factory=lambda: defaultdict(_Shopper)
    )
    ids: set[str] = field(default_factory=set)
    """Of every event in the log, whatever became of it."""
    refused: set[tuple[int, int]] = field(default_factory=set)
    """Partition and offset of what is owed a dead letter."""

    def add(self, place: Place, value: bytes | None) -> None:
        try:
            told = read(value, place.log_ms)
        except NoEvent:
            verdict = "bad"
        else:
            self.ids.add(told.event_id)
            is_late = place.log_ms - told.time_ms > HORIZON_MS
            verdict = "late" if is_late else self._verdict(place, told)
        self.ledger[verdict] += 1
        if verdict in REFUSED:
            self.refused.add((place.partition, place.offset))

    def _verdict(self, place: Place, told: Told) -> str:
        shopper = self.shoppers[told.tenant, told.shopper]
        if min(place.log_ms, told.time_ms) <= shopper.mark_ms:
            return "era"
        if told.event_id in shopper.first:
            if place.log_ms < shopper.first[told.event_id].log_ms:
                shopper.first[told.event_id] = place
            return "dup"
        if told.kind == "erase":
            shopper.first, shopper.counts = {told.event_id: place}, Counter()
            shopper.mark_ms = place.log_ms
            return "acc"
        if len(shopper.first) >= MOST_IDS:
            return "over"
        shopper.first[told.event_id] = place
        shopper.counts[told.kind] += 1
        self.items.update((told.tenant, name, told.kind) for name in told.items)
        return "acc"

    def users(self) -> Counter[Count]:
        return Counter(
            {
                (tenant, name, kind): n
                for (tenant, name), shopper in self.shoppers.items()
                for kind, n in shopper.counts.items()
            }
        )

    def erased(self) -> set[ShopperKey]:
        """Those who ever said farewell."""
        return {name for name, shopper in self.shoppers.items() if shopper.mark_ms >= 0}

    def due(self, ends: dict[int, int]) -> Due:
        newest = {name: shopper.newest for name, shopper in self.shoppers.items()}
        return Due(
            ends=ends,
            ledger=self.ledger,
            users=self.users(),
            items=self.items,
            erased=self.erased(),
            newest={name: place for name, place in newest.items() if place is not None},
            gone={name for name, shopper in self.shoppers.items() if shopper.gone},
            ids=self.ids,
            refused=self.refused,
        )
