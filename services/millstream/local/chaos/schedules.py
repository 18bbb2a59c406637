"""Workers that die, wake as zombies, overlap and lose a slot's tail, on one made-up log."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from millstream.counting.fenced import FenceMoved
from millstream.local.chaos.faulty_store import SLOTS, FaultyStore, Killed
from millstream.local.chaos.made_up_log import ITEMS, TENANTS, TOPIC, Log, lengths, make_log
from millstream.local.chaos.schedule_verdict import differences
from millstream.recommender.record import Recorder
from millstream.stores.fences import read_fences
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis


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
        for tenant in TENANTS:  # whom a letter names is known by then
            await self._numbers.learn(tenant, ITEMS)
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
        return await differences(self._redis, self._keys, self.log, self._numbers)

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
