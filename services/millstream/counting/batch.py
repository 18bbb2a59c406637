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
    NOTHING,
    Beside,
    NumberedItem,
    event_op,
    hole_op,
    record_op,
)
from millstream.streaming.decode import Arrival, Decoded, Hole, Letter

Numbered = Callable[[str], Mapping[str, NumberedItem]]
"""By tenant, the items that have a number (stores/item_numbers.py)."""
Known = Callable[[str], bool]
"""Whether it is a tenant."""


def nobody(_tenant: str) -> bool:
    return False


@dataclass
class SlotBatch:
    """`arrivals`: one per op, None for a record that is no event. `whose`: the tenant of each op,
    as far as it is known."""

    tenants: dict[str, int] = field(default_factory=dict)
    shoppers: dict[ShopperName, int] = field(default_factory=dict)
    ops: list[bytes] = field(default_factory=list)
    arrivals: list[Arrival | None] = field(default_factory=list)
    whose: list[str | None] = field(default_factory=list)

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
        event, visitor = arrival.event, arrival.event.signed_in_from
        letter = (arrival.judged_ms, arrival.letter) if arrival.letter else None
        self.arrivals.append(arrival)
        self.whose.append(name[0])
        self.ops.append(
            event_op(
                (arrival.offset, arrival.log_ms),
                TYPE_INDEX[event.type],
                self.who(name),
                (event.time_ms, event_digest(event.event_id)),
                [numbered[line.item_id] for line in event.items],
                Beside(letter, visitor) if letter or visitor is not None else NOTHING,
            )
        )

    def add_op(self, op: bytes) -> None:
        """Of a record that is no event, for `who` it names."""
        self.arrivals.append(None)
        self.whose.append(None)
        self.ops.append(op)

    def add_other(self, other: Letter | Hole, is_known: Known = nobody) -> None:
        """A letter is its tenant's where that is known: a key may say anything, and what it says
        is not to make ledgers without end."""
        if isinstance(other, Hole):
            self.add_op(hole_op(other.offset, other.n))
            return
        kind = LATE_RECORD if other.reason is Reason.LATE else BAD_RECORD
        tenant = other.tenant if other.tenant and is_known(other.tenant) else None
        place = None if tenant is None else self.tenants.setdefault(tenant, len(self.tenants))
        self.arrivals.append(None)
        self.whose.append(tenant)
        self.ops.append(record_op(kind, other.offset, place))


def split(
    decoded: Decoded, slots: int, numbered: Numbered, is_known: Known
) -> dict[int, SlotBatch]:
    """By slot, in the order of the log. The items of all arrivals must have their numbers."""
    batches: defaultdict[int, SlotBatch] = defaultdict(SlotBatch)
    for what in _in_order(decoded):
        if isinstance(what, Arrival):
            name = (what.event.tenant, what.event.shopper)
            batches[slot_of(*name, slots)].add(what, name, numbered(name[0]))
        else:
            batches[slot_of_place(decoded, what.offset, slots)].add_other(what, is_known)
    return batches


def slot_of_place(decoded: Decoded, offset: int, slots: int) -> int:
    """Where a record is counted that names no shopper."""
    return zlib.crc32(f"{decoded.topic}:{decoded.partition}:{offset}".encode()) % slots


def _in_order(decoded: Decoded) -> Sequence[Arrival | Letter | Hole]:
    if not decoded.letters and not decoded.holes:
        return decoded.arrivals
    found: list[Arrival | Letter | Hole] = [*decoded.arrivals, *decoded.letters, *decoded.holes]
    return sorted(found, key=lambda what: what.offset)
