"""What a worker makes sure of before it takes partitions over: the log is the one that its
predecessors counted, and the watermark is of this epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from tests.builders import TOPIC, event, record
from tests.unit.recommender.conftest import SLOTS, MemoryStore, take
from tests.unit.streaming.test_witness import MemoryLog

from millstream.domain.errors import Halt
from millstream.domain.log import Partition
from millstream.recommender.pipeline import Stages
from millstream.recommender.worker import Worker
from millstream.stores.fences import Fences, PartitionFences
from millstream.streaming.chunks import Chunk, LogBounds
from millstream.streaming.decode import Record, witness_of
from millstream.streaming.probe import Absent
from millstream.streaming.witness import LOOKS

TP = (TOPIC, 0)
RECORDS = [record(event(f"e{n}", f"u{n % 5}"), n) for n in range(40)]


class AskedLog(MemoryLog):
    asked = 0

    async def first_records(
        self, places: Mapping[Partition, int]
    ) -> dict[Partition, Record | Absent]:
        self.asked += 1
        return await super().first_records(places)

    async def first_offset(self, _: Partition, offset: int) -> int | None:
        found = self._first(offset)
        return None if isinstance(found, Absent) else found.offset


@dataclass
class Redis:
    """Per slot a fence behind the record that it covered last."""

    fences: Sequence[int] = (30, 12, 30, 0)
    epochs: Sequence[str] = ("0", "0", "0", "0")
    forged: dict[int, str] = field(default_factory=dict)

    async def positions(self, partitions: Sequence[Partition]) -> Fences:
        witnesses = tuple(
            self.forged.get(slot, witness_of(RECORDS[at - 1]) if at else "")
            for slot, at in enumerate(self.fences)
        )
        found = PartitionFences(tuple(self.fences), witnesses)
        return Fences(tuple(self.epochs), dict.fromkeys(partitions, found))


@pytest.fixture
def redis() -> Redis:
    return Redis()


@pytest.fixture
def log() -> AskedLog:
    return AskedLog(dict(enumerate(RECORDS)))


@pytest.fixture
def worker(stages: Stages, redis: Redis, log: AskedLog) -> Worker:
    return Worker(stages, redis.positions, log, chunk_records=5)


async def resume(worker: Worker, bounds: LogBounds | None = None) -> int:
    positions = await worker.resume({TP: bounds or LogBounds(0, None)})
    return positions[TP]


async def test_the_log_is_the_one_that_was_counted(worker: Worker, log: AskedLog) -> None:
    assert await resume(worker) == 0
    assert log.asked == 2, "the lowest witness and the highest"
    assert worker.standing()[TP].witness == witness_of(RECORDS[29])


@pytest.mark.parametrize("slot", [0, 1])
async def test_one_witness_that_differs_is_enough(worker: Worker, redis: Redis, slot: int) -> None:
    redis.forged[slot] = f"{redis.fences[slot] - 1}:0000000000000000"
    if slot == 0:
        redis.forged[2] = redis.forged[0]
    with pytest.raises(Halt, match=r"witness-mismatch.md"):
        await resume(worker)
    assert worker.standing() == {}, "it took nothing over"


async def test_after_a_lost_connection_nothing_is_handled_of_another_log(
    worker: Worker, log: AskedLog, redis: Redis
) -> None:
    redis.fences = (12, 12, 12, 12)
    assert await resume(worker) == 12
    log.records = {n: record(event(f"new{n}", "ann"), n) for n in range(20)}
    worker.doubt()
    with pytest.raises(Halt, match=r"witness-mismatch.md"):
        await take(worker, [Chunk(*TP, [log.records[12]])])
    assert worker.standing()[TP].expected == 12


async def test_after_a_lost_connection_the_same_log_goes_on(
    worker: Worker, log: AskedLog, redis: Redis, store: MemoryStore
) -> None:
    redis.fences = (12, 12, 12, 12)
    store.fences.update({(slot, TP): 12 for slot in range(SLOTS)})
    await resume(worker)
    worker.doubt()
    asked = log.asked
    await take(worker, [Chunk(*TP, RECORDS[12:14])])
    await take(worker, [Chunk(*TP, RECORDS[14:16])])
    assert (worker.standing()[TP].expected, log.asked) == (16, asked + 1), "it asks once"


async def test_a_log_that_ends_before_it(worker: Worker, log: AskedLog) -> None:
    log.records = {n: found for n, found in log.records.items() if n < 20}
    with pytest.raises(Halt, match=r"topic-recreated-or-truncated.md"):
        await resume(worker)


async def test_a_witness_that_retention_took_proves_nothing(
    worker: Worker, redis: Redis, log: AskedLog
) -> None:
    redis.fences = (30, 30, 30, 30)
    log.start = 30
    assert await resume(worker, LogBounds(30, None)) == 30
    assert worker.standing()[TP].witness == ""


async def test_a_broker_that_does_not_show_the_record_is_asked_again(
    worker: Worker, log: AskedLog
) -> None:
    log.answers = False
    with pytest.raises(Halt, match="does not show what was counted of partitions 0"):
        await resume(worker)
    assert log.asked == LOOKS


async def test_slots_of_different_epochs(worker: Worker, redis: Redis) -> None:
    redis.epochs = ("1", "1", "0", "1")
    with pytest.raises(Halt, match=r"slots-behind.md"):
        await resume(worker)


async def test_the_watermark_of_another_epoch_is_of_another_log(
    worker: Worker, redis: Redis
) -> None:
    assert await resume(worker, LogBounds(0, 35, "0")) == 0
    assert worker.watermark() == {TP: 35}
    redis.epochs, redis.fences = ("1",) * 4, (0,) * 4
    assert await resume(worker, LogBounds(0, 35, "0")) == 0
    assert worker.watermark() == {TP: 0}, "lists for the new log are owed from its beginning"
    assert worker.epoch == "1"


async def test_what_is_handled_is_what_is_compared_from_then_on(
    worker: Worker, redis: Redis, store: MemoryStore
) -> None:
    redis.fences = (0,) * 4
    await resume(worker)
    assert worker.standing()[TP].witness == ""
    await take(worker, [Chunk(TOPIC, 0, RECORDS[:12])])
    assert worker.standing()[TP].expected == 12
    assert worker.standing()[TP].witness == witness_of(RECORDS[11])
