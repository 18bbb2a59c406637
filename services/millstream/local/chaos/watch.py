"""Looks at the state while it is being broken: how far it is counted, and what must always hold."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from millstream.local.chaos.wire import RedisSaidNo, Wire, wired

LOOK_S = 0.25
ATOMIC_S = 1.0
TENANTS = ("default", "shop-2")
LEDGER = ("acc", "dup", "late", "era", "over", "bad", "hol")

AWAY = (OSError, TimeoutError, RedisSaidNo)
"""What a look may meet while the server is broken."""


@dataclass(frozen=True, slots=True)
class Where:
    """Under which names a deployment keeps its state."""

    port: int
    prefix: str
    topic: str
    slots: int

    def key(self, kind: str, slot: int) -> str:
        return f"{self.prefix}{kind}:{{{slot}}}"


@dataclass(slots=True)
class Slot:
    """What a slot's hash says of the epoch in force: per partition the fence, and the ledger."""

    fences: dict[int, int] = field(default_factory=dict)
    ledger: Counter[tuple[str, int]] = field(default_factory=Counter)


def parse_slot(held: Mapping[bytes, bytes], topic: str) -> Slot:
    """Both layouts of a field are read: `<name>:<topic>:<p>` and `<name>:<epoch>:<topic>:<p>`."""
    pattern = re.compile(rf"([a-z]+):(?:([^:]*):)?{re.escape(topic)}:(\d+)")
    epoch = held.get(b"epoch", b"0").decode()
    slot = Slot()
    for name, value in held.items():
        found = pattern.fullmatch(name.decode())
        if found is None or found[2] not in (None, epoch) or found[1] == "w":
            continue
        if found[1] == "t":
            slot.fences[int(found[3])] = int(value)
        else:
            slot.ledger[found[1], int(found[3])] = int(value)
    return slot


def as_mapping(reply: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


async def read_slots(wire: Wire, where: Where) -> list[Slot]:
    commands = [("HGETALL", where.key("f", slot)) for slot in range(where.slots)]
    return [parse_slot(as_mapping(reply), where.topic) for reply in await wire.pipeline(commands)]


async def torn(wire: Wire, where: Where, slot: int) -> str | None:
    """I4 at one moment: a slot's item counts against its ledger's sum of lines; None: equal."""
    fences, *items = await wire.atomic(
        [
            ("HGETALL", where.key("f", slot)),
            *(("HVALS", f"{where.key('i', slot)}:{tenant}") for tenant in TENANTS),
        ]
    )
    held = as_mapping(fences)
    lines = sum(int(n) for name, n in held.items() if name.startswith(b"itm:"))
    counted = sum(int(n) for values in items for n in values)
    return None if lines == counted else f"I4: slot {slot} counts {counted} lines of {lines}"


class Watch:
    """`front`: per partition how far it is counted by the slot that is furthest."""

    def __init__(self, where: Where, rng: random.Random) -> None:
        self._where = where
        self._rng = rng
        self.front: dict[int, int] = {}
        self.rolling = False
        """A fault is under way after which fences may stand lower."""
        self.violations: list[str] = []
        self.looks = 0
        self.atomic_looks = 0
        self._began = 0.0
        self._highest: dict[tuple[int, int], int] = {}
        self._looked = asyncio.Event()

    async def run(self) -> None:
        """For ever."""
        atomic_at = 0.0
        while True:
            began = time.monotonic()
            try:
                async with wired(self._where.port) as wire:
                    self._see(await read_slots(wire, self._where), began)
                    if began >= atomic_at:
                        atomic_at = began + ATOMIC_S
                        await self._look_atomically(wire)
            except AWAY:
                pass
            await asyncio.sleep(LOOK_S)

    async def _look_atomically(self, wire: Wire) -> None:
        found = await torn(wire, self._where, self._rng.randrange(self._where.slots))
        self.atomic_looks += 1
        if found is not None:
            self.violations.append(found)

    def _see(self, slots: list[Slot], began: float) -> None:
        front: dict[int, int] = {}
        if self.rolling:
            self._highest.clear()  # also of fields that are gone
        for number, slot in enumerate(slots):
            for partition, fence in slot.fences.items():
                self._compare(number, partition, fence)
                front[partition] = max(front.get(partition, 0), fence)
        self.front, self._began = front, began
        self.looks += 1
        self._looked.set()
        self._looked = asyncio.Event()

    def _compare(self, slot: int, partition: int, fence: int) -> None:
        before = self._highest.get((slot, partition), 0)
        if fence < before and not self.rolling:
            self.violations.append(f"I3: slot {slot} of partition {partition} fell to {fence}")
        self._highest[slot, partition] = fence

    def counted(self) -> int:
        """Records, over the partitions, as of the last look."""
        return sum(self.front.values())

    async def look(self) -> dict[int, int]:
        """The front as read by a look that begins from now on."""
        now = time.monotonic()
        while self._began < now:
            await self._looked.wait()
        return dict(self.front)

    async def counting_again(self, within_s: float) -> float | None:
        """Seconds until every partition has moved on from where it stands now; None: it did not."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(within_s):
                base = await self.look()
                while not self.front or any(self.front.get(p, 0) <= at for p, at in base.items()):
                    await self._looked.wait()
        except TimeoutError:
            return None
        return time.monotonic() - began


def sums(slots: list[Slot]) -> Counter[str]:
    """The ledger over slots and partitions."""
    found: Counter[str] = Counter()
    for slot in slots:
        for (name, _), n in slot.ledger.items():
            found[name] += n
    return found


def residue(slots: list[Slot], ends: Mapping[int, int]) -> dict[int, int]:
    """I2: per partition the records that stand in the ledger beyond what the log has (below zero:
    that have no place in it); only what differs."""
    accounted: Counter[int] = Counter()
    for slot in slots:
        for (name, partition), n in slot.ledger.items():
            if name in LEDGER:
                accounted[partition] += n
    numbers = sorted(accounted.keys() | ends.keys())
    return {p: n for p in numbers if (n := accounted[p] - ends.get(p, 0))}
