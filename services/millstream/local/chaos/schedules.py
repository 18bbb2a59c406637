"""Workers that die, wake as zombies, overlap and lose a slot's tail, on one made-up log."""

from __future__ import annotations

import contextlib
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from millstream.domain.identity import ShopperName, slot_of
from millstream.features.state import USER_FEATURES, ShopperState
from millstream.features.writes import Write
from millstream.local.chaos.made_up_log import TOPIC, Log, lengths, make_log, recount
from millstream.recommender.record import FenceMoved, Recorder
from millstream.stores.feature_store import FeatureStore, SlotCall, SlotReply
from millstream.stores.fences import FIRST_EPOCH, field_of, read_fences
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.shopper_values import fields_of

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis

SLOTS = 4
TENANTS = ("default", "shop-2")
NOW_MS = 2_000_000_000_000
"""Later than all that happens here: decayed features are read as of it."""


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


@dataclass
class SimulatedWorker:
    """Owns all partitions, as two workers do that do not know of each other."""

    recorder: Recorder
    positions: list[int] = field(default_factory=list)


class Schedule:
    def __init__(self, redis: Redis, keys: Keys, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311  a seed, not a secret
        self.log: Log = make_log(self.rng)
        self._names = sorted(self.log.shoppers())
        self._redis = redis
        self._keys = keys
        self._ends = lengths(self.log)
        self.store = FaultyStore(redis, keys, len(self._ends), self.rng)
        self._numbers = ItemNumbers(redis, keys)
        self._workers = [SimulatedWorker(self._recorder()) for _ in range(2)]
        self._copies: list[dict[str, bytes | None]] = []

    async def run(self) -> None:
        """Until the log has been read to its end without further faults."""
        for worker in self._workers:
            await self._resume(worker)
        speeds = [self.rng.choice((1, 4, 30)) for _ in self._ends]
        for _ in range(30):
            partitions = set(
                self.rng.choices(range(len(speeds)), speeds, k=self.rng.choice((1, 3)))
            )
            await self._step(self.rng.choice(self._workers), sorted(partitions))
            await self._disturb()
        self.store.fault_rate = 0
        while self.store.held_back:
            await self.store.wake_zombie()
        await self._finish(self._workers[0])

    async def problems(self) -> list[str]:
        """Where Redis differs from the recount; empty when it is exact."""
        expected = recount(self.log)
        names = self._names
        pipeline = self._redis.pipeline(transaction=False)
        for slot in range(SLOTS):
            pipeline.hgetall(self._keys.fences(slot))
            for tenant in TENANTS:
                pipeline.hgetall(self._keys.item_partials(slot, tenant))
        for name in names:
            pipeline.get(self._keys.shopper(slot_of(*name, SLOTS), *name))
        held = await pipeline.execute()
        ledgers, partials = [], []
        for _ in range(SLOTS):
            ledgers.append(_numbers(held.pop(0)))
            partials.append({tenant: _numbers(held.pop(0)) for tenant in TENANTS})
        found = dict(zip(names, held, strict=True))
        return [
            *self._wrong_shoppers(found, expected.shoppers),
            *_wrong_items(ledgers, partials, expected.items),
            *self._wrong_ledgers(ledgers),
        ]

    async def forget(self) -> None:
        names = [self._keys.item_numbers(tenant) for tenant in TENANTS]
        names += [key for slot in range(SLOTS) for key in self._keys_of(slot)]
        await self._redis.delete(*names)

    def _recorder(self) -> Recorder:
        return Recorder(self.store, self._numbers, SLOTS, lambda: self.rng.randrange(10_000))

    async def _resume(self, worker: SimulatedWorker) -> None:
        partitions = [(TOPIC, number) for number in range(len(self._ends))]
        fences = await read_fences(self._redis, self._keys, SLOTS, partitions)
        worker.recorder = self._recorder()
        per_slot = {tp: found.per_slot for tp, found in fences.partitions.items()}
        worker.recorder.resume(per_slot, fences.epoch)
        worker.positions = [fences.partitions[tp].lowest for tp in partitions]

    async def _step(
        self, worker: SimulatedWorker, partitions: Sequence[int], most: int = 25
    ) -> None:
        """The next range of each partition that has one, in one call of the recorder."""
        ranges = {}
        for number in partitions:
            start = worker.positions[number]
            to = min(self._ends[number], start + self.rng.randrange(1, most))
            if start < to:
                ranges[number] = self.log.range(number, start, to)
        try:
            prepared = [await worker.recorder.prepare(taken) for taken in ranges.values()]
            await worker.recorder.record(prepared)
            if self.rng.random() < 0.2:
                await worker.recorder.advance_idle()
        except FenceMoved:
            await self._resume(worker)
        except Killed:
            await self._last_breath(worker)
            await self._resume(worker)
        else:
            for number, taken in ranges.items():
                worker.positions[number] = taken.to

    async def _last_breath(self, worker: SimulatedWorker) -> None:
        """What runs beside the chunks may get a turn before the failure ends the process."""
        if self.rng.random() < 0.3:
            with contextlib.suppress(Killed, FenceMoved):
                await worker.recorder.advance_idle()

    async def _disturb(self) -> None:
        what = self.rng.random()
        if what < 0.1:
            await self.store.wake_zombie()
        elif what < 0.2:
            self._copies.append(await self._dump(self.rng.randrange(SLOTS)))
        elif what < 0.26 and self._copies:
            self.store.faults["rollback"] += 1
            await self._restore(self.rng.choice(self._copies))

    async def _finish(self, worker: SimulatedWorker) -> None:
        await self._resume(worker)
        for _ in range(200):
            behind = [p for p, end in enumerate(self._ends) if worker.positions[p] < end]
            if not behind:
                break
            await self._step(worker, [self.rng.choice(behind)], most=60)
        await worker.recorder.advance_idle()

    def _keys_of(self, slot: int) -> list[str]:
        keys = self._keys
        names = [keys.fences(slot), keys.clocks(slot), keys.erased(slot), keys.dirty(slot)]
        names += [keys.owed(slot), keys.replayed(slot)]
        names += [keys.item_partials(slot, tenant) for tenant in TENANTS]
        for name in self._names:
            names += [keys.shopper(slot, *name), keys.event_ids(slot, *name)]
        return names

    async def _dump(self, slot: int) -> dict[str, bytes | None]:
        names = self._keys_of(slot)
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.dump(name)
        return dict(zip(names, await pipeline.execute(), strict=True))

    async def _restore(self, copy: dict[str, bytes | None]) -> None:
        """As a failover to a replica that was behind."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.delete(*copy)
        for name, dumped in copy.items():
            if dumped is not None:
                pipeline.restore(name, 0, dumped)
        await pipeline.execute()

    def _wrong_shoppers(
        self, held: Mapping[ShopperName, bytes | None], expected: Mapping[ShopperName, Any]
    ) -> Iterator[str]:
        for name, value in held.items():
            stored = ShopperState(fields_of(value), self._numbers.names(name[0]))
            due = expected[name].state() if name in expected else ShopperState(None)
            for feature in USER_FEATURES:
                found, wanted = stored.read(feature, NOW_MS), due.read(feature, NOW_MS)
                ordered = feature.write in (Write.DECAY, Write.RECENT)
                if ordered and name in self.log.crossing:
                    continue  # its events were applied in no one order
                if not _same(found, wanted):
                    yield f"{name} {feature.name}: {found} instead of {wanted}"

    def _wrong_ledgers(self, ledgers: Sequence[Mapping[str, int]]) -> Iterator[str]:
        for partition, end in enumerate(self._ends):
            at, sums = field_of(FIRST_EPOCH, TOPIC, partition), Counter[str]()
            for slot, fences in enumerate(ledgers):
                if fences.get(f"t:{at}", 0) != end:
                    yield f"slot {slot} stands at {fences.get(f't:{at}')} of {end}"
                for name in ("acc", "dup", "late", "era", "over", "bad"):
                    sums[name] += fences.get(f"{name}:{at}", 0)
            if sums.total() != end:
                yield f"partition {partition}: {dict(sums)} of {end} records"


def _wrong_items(
    ledgers: Sequence[Mapping[str, int]],
    partials: Sequence[Mapping[str, Mapping[str, int]]],
    expected: Mapping[tuple[str, str], int],
) -> Iterator[str]:
    """The partials against the recount, and in each slot against the ledger's own sum."""
    found: Counter[tuple[str, str]] = Counter()
    for slot, (ledger, counts) in enumerate(zip(ledgers, partials, strict=True)):
        lines = sum(n for name, n in ledger.items() if name.startswith("itm:"))
        if lines != sum(sum(fields.values()) for fields in counts.values()):
            yield f"slot {slot}: {counts}, but {lines} item lines in the ledger"
        for tenant, fields in counts.items():
            for key, n in fields.items():
                if not key.partition("|")[2].startswith("x"):
                    found[tenant, key] += n
    if found != expected:
        yield f"items: {dict(found)} instead of {dict(expected)}"


def _numbers(held: Mapping[bytes, bytes]) -> dict[str, int]:
    """A hash without its witnesses."""
    return {name.decode(): int(value) for name, value in held.items() if not name.startswith(b"w:")}


def _same(found: Any, due: Any) -> bool:
    """Equal, floats to six digits."""
    if isinstance(found, tuple) and isinstance(due, tuple):
        return len(found) == len(due) and all(map(_same, found, due))
    if isinstance(found, float) and isinstance(due, float):
        return math.isclose(found, due, rel_tol=1e-6)
    return bool(found == due)
