"""A producer that stops without an error: the guard ends the worker, whose successor publishes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from tests.builders import NOON_MS, TOPIC, event, record
from tests.unit.recommender.conftest import SLOTS, MemoryProducer, MemoryStore, take, until
from tests.unit.streaming import test_witness

from millstream.counting.guard import GUARD_SECONDS, Guard
from millstream.counting.watchdog import PATIENCE_S
from millstream.domain.errors import Halt
from millstream.domain.log import Partition
from millstream.features.type_counts import TYPE_COUNTS
from millstream.recommender.pipeline import Stages
from millstream.recommender.publish import Publisher, Topics
from millstream.recommender.worker import Worker
from millstream.stores.fences import Fences, PartitionFences
from millstream.streaming.chunks import Chunk, LogBounds

TP = (TOPIC, 0)
RECORDS = {n: record(event(f"e{n}", f"u{n}", "i"), n) for n in range(40)}
BEFORE = 10
"""Published when the producer sticks."""


@dataclass
class StuckProducer(MemoryProducer):
    """`stuck_at` "send": no call returns any more; "acknowledgement": no record becomes durable."""

    stuck_at: str = ""
    asked: list[bytes | None] = field(default_factory=list)

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> asyncio.Future[object]:
        never: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self.stuck_at:
            self.asked.append(key)
        if self.stuck_at == "send":
            await never
        return never if self.stuck_at else await super().send(topic, value, key, headers=headers)


class Log(test_witness.MemoryLog):
    async def first_offset(self, _: Partition, offset: int) -> int | None:
        raise AssertionError(f"no gap, and asked for {offset}")


def worker_of(stages: Stages, store: MemoryStore) -> Worker:
    async def positions(partitions: list[Partition]) -> Fences:
        found = {tp: PartitionFences(at) for tp, at in store.positions(partitions).items()}
        return Fences((store.epoch,) * SLOTS, found)

    return Worker(stages, positions, Log(RECORDS), chunk_records=5)


def chunk(start: int, to: int) -> Chunk:
    return Chunk(TOPIC, 0, [RECORDS[n] for n in range(start, to)])


async def no_rewind() -> None:
    raise AssertionError("nothing is missing")


async def redis_answers() -> None: ...


async def guarded(worker: Worker, seconds: float) -> None:
    now = 0.0
    guard = Guard(worker, Log(RECORDS), redis_answers, lambda: now, lambda: [TP])
    while now < seconds:
        await guard.look()
        now += GUARD_SECONDS


@pytest.mark.parametrize("stuck_at", ["send", "acknowledgement"])
async def test_the_watchdog_ends_it_and_no_list_is_lost(
    stages: Stages, store: MemoryStore, producer: MemoryProducer, stuck_at: str
) -> None:
    sticks = StuckProducer()
    publisher = Publisher(sticks, Topics(TOPIC, "lists"), lambda: NOON_MS)
    worker = worker_of(replace(stages, publisher=publisher), store)
    await worker.resume({TP: LogBounds(0, None)})
    await take(worker, [chunk(0, BEFORE)])
    assert worker.watermark() == {TP: BEFORE}

    sticks.stuck_at = stuck_at
    running = asyncio.create_task(worker.run(no_rewind))
    await worker.deliver([chunk(BEFORE, len(RECORDS))])
    await until(lambda: bool(sticks.asked))
    with pytest.raises(Halt, match=r"partitions 0 of .*stuck.md"):
        await guarded(worker, PATIENCE_S + 2 * GUARD_SECONDS)
    assert not running.done(), "by itself it would wait for ever"
    assert worker.watermark() == {TP: BEFORE}
    running.cancel()

    successor = worker_of(stages, store)
    resumed = await successor.resume({TP: LogBounds(0, BEFORE)})
    await take(successor, [chunk(resumed[TP], len(RECORDS))])
    lists = [sent.made.origin.offset for sent in (*sticks.sent, *producer.sent)]
    assert sorted(lists) == list(RECORDS), "each shopper's, once"
    states = (shopper.state() for shopper in store.shoppers.values())
    assert sum(sum(state.read(TYPE_COUNTS, 0).values()) for state in states) == len(RECORDS)
