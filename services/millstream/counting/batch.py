"""What of a range of the log each state slot gets, in the form of its call."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from millstream.domain.errors import Reason
from millstream.domain.events import TYPE_INDEX
from millstream.domain.identity import ShopperName, event_digest, slot_of
from millstream.stores.ops import (
    BAD_RECORD,
    LATE_RECORD,
    NumberedItem,
    event_op,
    hole_op,
    record_op,
)
from millstream.streaming.decode import Arrival, Decoded, Hole, Letter

Numbered = Callable[[str], Mapping[str, NumberedItem]]
"""By tenant, the items that have a number (stores/item_numbers.py)."""


@dataclass
class SlotBatch:
    """`arrivals`: one per op, None for a record that is no event."""

    tenants: dict[str, int] = field(default_factory=dict)
    shoppers: dict[ShopperName, int] = field(default_factory=dict)
    ops: list[bytes] = field(default_factory=list)
    arrivals: list[Arrival | None] = field(default_factory=list)

    def who(self, name: ShopperName) -> tuple[int, int]:
        """The places of the shopper and the tenant in the call."""
        tenants, shoppers = self.tenants, self.shoppers
        return (
            shoppers.setdefault(name, len(shoppers)),
            tenants.setdefault(name[0], len(tenants)),
        )

    def add(
        self, arrival: Arrival, name: ShopperName, numbered: Mapping[str, NumberedItem]
    ) -> None:
        event = arrival.event
        self.arrivals.append(arrival)
        self.ops.append(
            event_op(
                (arrival.offset, arrival.log_ms),
                TYPE_INDEX[event.type],
                self.who(name),
                (event.time_ms, event_digest(event.event_id)),
                [numbered[line.item_id] for line in event.items],
                (arrival.judged_ms, arrival.letter) if arrival.letter else None,
            )
        )

    def add_op(self, op: bytes) -> None:
        """Of a record that is no event, for `who` it names."""
        self.arrivals.append(None)
        self.ops.append(op)

    def add_other(self, other: Letter | Hole) -> None:
        self.arrivals.append(None)
        if isinstance(other, Hole):
            self.ops.append(hole_op(other.offset, other.n))
        else:
            kind = LATE_RECORD if other.reason is Reason.LATE else BAD_RECORD
            self.ops.append(record_op(kind, other.offset, other.log_ms))


def split(decoded: Decoded, slots: int, numbered: Numbered) -> dict[int, SlotBatch]:
    """By slot, in the order of the log. The items of all arrivals must have their numbers."""
    batches: defaultdict[int, SlotBatch] = defaultdict(SlotBatch)
    for what in _in_order(decoded):
        if isinstance(what, Arrival):
            name = (what.event.tenant, what.event.shopper)
            batches[slot_of(*name, slots)].add(what, name, numbered(name[0]))
        else:
            batches[slot_of_place(decoded, what.offset, slots)].add_other(what)
    return batches


def slot_of_place(decoded: Decoded, offset: int, slots: int) -> int:
    """Where a record is counted that names no shopper."""
    return zlib.crc32(f"{decoded.topic}:{decoded.partition}:{offset}".encode()) % slots


def _in_order(decoded: Decoded) -> Sequence[Arrival | Letter | Hole]:
    if not decoded.letters and not decoded.holes:
        return decoded.arrivals
    found: list[Arrival | Letter | Hole] = [*decoded.arrivals, *decoded.letters, *decoded.holes]
    return sorted(found, key=lambda what: what.offset)
