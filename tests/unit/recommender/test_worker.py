"""Between Faust and the pipeline: takeovers, gaps, and when to stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

import pytest
from tests.builders import TOPIC, event, record
from tests.unit.recommender.conftest import SLOTS, MemoryProducer, MemoryStore, take, turns, until

from millstream.counting.recheck import Recheck
from millstream.domain.errors import Halt
from millstream.domain.events import Event
from millstream.domain.log import Partition
from millstream.features.type_counts import TYPE_COUNTS
from millstream.recommender import telemetry
from millstream.recommender.pipeline import Stages
from millstream.recommender.worker import MAX_REWINDS, MOST_UNDER_WAY, Worker
from millstream.stores.feature_store import SlotCall, SlotReply
from millstream.stores.fences import Fences, PartitionFences
from millstream.streaming.chunks import Chunk, LogBounds
from millstream.streaming.decode import Record
from millstream.streaming.probe import Absent

TP = (TOPIC, 0)
PORTION = 5
LOG = [event(f"e{n}", f"u{n % 5}", "i") for n in range(40)]


@dataclass
class Broker:
    """One partition with `log`; hands out chunks from where it was told to go."""

    worker: Worker
    log: Sequence[Event | bytes | None] = tuple(LOG)
    start: int = 0
    committed: int | None = None
    at: int = 0
    missing: set[int] = field(default_factory=set)
    rewinds: int = 0
    asked: list[int] = field(default_factory=list)
    answers: bool = True

    async def assign(self) -> None:
        positions = await self.worker.resume({TP: LogBounds(self.start, self.committed)})
        self.at = positions[TP]

    async def rewind(self) -> None:
        self.rewinds += 1
        await self.assign()

    async def first_offset(self, _: Partition, offset: int) -> int | None:
        self.asked.append(offset)
        there = (n for n in range(offset, len(self.log)) if n not in self.missing)
        return next(there, None) if self.answers else None

    async def starts(self, partitions: Iterable[Partition]) -> dict[Partition, int] | None:
        return dict.fromkeys(partitions, self.start)

    async def first_records(
        self, places: Mapping[Partition, int]
    ) -> dict[Partition, Record | Absent]:
        found = {tp: await self.first_offset(tp, offset) for tp, offset in places.items()}
        return {
            tp: Absent.GONE if offset is None else record(self.log[offset], offset)
            for tp, offset in found.items()
        }

    def fetch(self, most: int) -> Chunk | None:
        there = [n for n in range(self.at, len(self.log)) if n not in self.missing][:most]
        if not there:
            return None
        self.at = there[-1] + 1
        return self.chunk(there)

    def chunk(self, offsets: Sequence[int]) -> Chunk:
        return Chunk(TOPIC, 0, [record(self.log[n], n) for n in offsets])

    async def deliver_all(self, most: int = 7) -> None:
        while (chunk := self.fetch(most)) is not None:
            await take(self.worker, [chunk])


@pytest.fixture
def worker(stages: Stages, store: MemoryStore) -> Worker:
    async def positions(partitions: list[Partition]) -> Fences:
        found = store.positions(partitions)
        epochs = (store.epoch,) * SLOTS
        return Fences(epochs, {tp: PartitionFences(at) for tp, at in found.items()})

    made = Broker(Worker(stages, positions, None, chunk_records=PORTION))  # type: ignore[arg-type]
    made.worker._log = made
    return made.worker


@pytest.fixture
async def broker(worker: Worker) -> Broker:
    made = worker._log
    assert isinstance(made, Broker)
    worker._rewind = made.rewind  # as `run` does
    await made.assign()
    return made


def counted(store: MemoryStore) -> int:
    states = (shopper.state() for shopper in store.shoppers.values())
    return sum(sum(state.read(TYPE_COUNTS, 0).values()) for state in states)


async def test_the_log_is_counted_and_answered(
    store: MemoryStore, producer: MemoryProducer, worker: Worker, broker: Broker
) -> None:
    await broker.deliver_all()
    assert counted(store) == 40
    newest = {sent.made.user: sent.made.origin.offset for sent in producer.to("lists")}
    assert newest == {f"u{n}": 35 + n for n in range(5)}
    assert worker.watermark() == {TP: 40}
    assert broker.rewinds == 0


async def test_nothing_is_counted_by_a_redis_that_would_drop_it(
    store: MemoryStore, worker: Worker, broker: Broker
) -> None:
    async def require() -> None:
        raise Halt("it would drop counts")

    await take(worker, [broker.chunk([0])])
    worker._stages = replace(worker._stages, eviction=Recheck(require, 0.0, monotonic))
    with pytest.raises(Halt, match="drop counts"):
        await take(worker, [broker.chunk([1, 2])])
    assert counted(store) == 1


async def test_poison_does_not_stop_it(
    store: MemoryStore, producer: MemoryProducer, broker: Broker
) -> None:
    broker.log = [LOG[0], b"\xff", None, b"{}", LOG[1]]
    await broker.deliver_all()
    assert counted(store) == 2
    assert [sent.value for sent in producer.to(f"{TOPIC}.dlq")] == [b"\xff", None, b"{}"]


async def test_a_repeated_chunk_is_passed_over(store: MemoryStore, broker: Broker) -> None:
    chunk = broker.fetch(10)
    assert chunk is not None
    for _ in range(3):
        await take(broker.worker, [chunk])
    assert (counted(store), broker.rewinds) == (10, 0)


async def test_a_lost_chunk_is_read_again(store: MemoryStore, broker: Broker) -> None:
    broker.fetch(7)  # and nobody gets it
    await broker.deliver_all()
    assert (counted(store), broker.rewinds) == (40, 1)


async def test_offsets_that_do_not_exist_are_stepped_over(
    store: MemoryStore, broker: Broker
) -> None:
    """Transaction markers and what was aborted: the log is asked, and nothing is read again."""
    broker.missing = {0, 8, 9, 23}
    before = telemetry.HOLES._value.get()
    await broker.deliver_all(most=1)
    assert counted(store) == 36
    assert (broker.asked, broker.rewinds) == ([0, 8, 23], 0)
    assert broker.worker.watermark() == {TP: 40}
    assert telemetry.HOLES._value.get() - before == 4


async def test_behind_a_hole_what_was_lost_is_read_again(
    store: MemoryStore, broker: Broker
) -> None:
    broker.missing = {5, 6}
    await take(broker.worker, [broker.chunk(range(5))])
    await take(broker.worker, [broker.chunk(range(9, 12))])  # 7 and 8 are in the log
    assert (counted(store), broker.rewinds) == (5, 1)
    await broker.deliver_all()
    assert counted(store) == 38


async def test_the_same_gap_again_is_no_hole(store: MemoryStore, broker: Broker) -> None:
    """Chunks of before the seek that come after it, however many."""
    for _ in range(10):
        await take(broker.worker, [broker.chunk(range(3, 6))])
    assert (counted(store), broker.rewinds) == (0, 10)
    await broker.deliver_all()
    assert counted(store) == 40


async def test_a_log_that_does_not_say_is_read_again(store: MemoryStore, broker: Broker) -> None:
    broker.missing, broker.answers = {0}, False
    await take(broker.worker, [broker.chunk(range(1, 4))])
    assert (counted(store), broker.rewinds, broker.asked) == (0, 1, [0])


async def test_a_log_that_begins_past_what_came_is_not_believed(
    store: MemoryStore, broker: Broker
) -> None:
    """Truncated and written anew: what the worker holds is not in it."""
    broker.missing = set(range(10))
    await take(broker.worker, [broker.chunk(range(3, 6))])
    assert (counted(store), broker.rewinds) == (0, 1)


async def test_a_partition_that_leaves_while_the_log_is_asked_is_not_handled(
    store: MemoryStore, worker: Worker, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = broker.first_offset

    async def slow(tp: Partition, offset: int) -> int | None:
        await worker.resume({})
        return await told(tp, offset)

    monkeypatch.setattr(broker, "first_offset", slow)
    broker.missing = {0}
    await take(worker, [broker.chunk(range(1, 4))])
    assert (counted(store), broker.rewinds, worker.watermark()) == (0, 0, {})


async def test_a_slot_that_rolled_back_is_counted_again(store: MemoryStore, broker: Broker) -> None:
    await broker.deliver_all()
    roll_back(store)
    broker.log = [*LOG, event("new", "u0")]
    await broker.deliver_all()
    assert (counted(store), broker.rewinds) == (41, 1)


async def test_a_roll_back_is_noticed_without_new_events(
    store: MemoryStore, worker: Worker, broker: Broker
) -> None:
    await broker.deliver_all()
    roll_back(store)
    # The slots hold the end of the log in the worker's view; one of them lags behind it.
    worker._stages.recorder._fences[TP][0] -= 1
    await worker.advance_idle()
    await broker.deliver_all()
    assert counted(store) == 40


async def test_chunks_under_way_at_a_rewind_do_not_stop_it(
    store: MemoryStore, worker: Worker, broker: Broker
) -> None:
    """Faust and the inbox hold chunks of before the seek; each is past what is expected then."""
    broker.log = tuple(event(f"e{n}", f"u{n % 5}", "i") for n in range(200))
    broker.fetch(2)  # lost
    running = asyncio.create_task(worker.run(broker.rewind))
    for _ in range(48):
        chunk = broker.fetch(2)
        assert chunk is not None
        await worker.deliver([chunk])
    while worker.watermark()[TP] < 200 and not running.done():
        await asyncio.sleep(0)
        chunk = broker.fetch(9)
        if chunk is not None:
            await worker.deliver([chunk])
    assert not running.done(), running.exception()
    assert counted(store) == 200
    assert broker.rewinds < 48
    running.cancel()


async def test_what_is_delivered_together_is_handled_together(
    store: MemoryStore, worker: Worker
) -> None:
    other = (TOPIC, 1)
    await worker.resume({TP: LogBounds(0, None), other: LogBounds(0, None)})
    there = [record(event(f"x{n}", "bob"), n, partition=1) for n in range(3)]
    here = [record(LOG[n], n) for n in range(4)]
    await take(
        worker, [Chunk(TOPIC, 0, here[:2]), Chunk(TOPIC, 1, there), Chunk(TOPIC, 0, here[2:])]
    )
    assert counted(store) == 7
    assert worker.watermark() == {TP: 4, other: 3}


async def test_no_progress_is_a_halt(store: MemoryStore, worker: Worker, broker: Broker) -> None:
    """The slots stand behind what every reading of the fences says."""

    async def rewind() -> None:
        await broker.assign()
        worker._stages.recorder.resume({TP: [1, 1, 1, 1]}, "0")
        worker._cursors[TP].expected = worker._cursors[TP].taken = 1

    worker._rewind = rewind
    await rewind()
    for _ in range(MAX_REWINDS):
        await take(worker, [Chunk(TOPIC, 0, [record(LOG[1], 1)])])
    with pytest.raises(Halt, match="no further"):
        await take(worker, [Chunk(TOPIC, 0, [record(LOG[1], 1)])])
    assert counted(store) == 0


@pytest.mark.parametrize(
    ("fences", "committed", "at", "publish_from"),
    [
        ((0, 0, 0, 0), None, 0, 0),
        ((9, 7, 8, 9), None, 7, 7),
        ((9, 7, 8, 9), 5, 5, 5),  # counted, but the lists of 5 and 6 never went out
        ((9, 7, 8, 9), 9, 7, 9),  # a slot rolled back: count again, publish nothing twice
    ],
)
async def test_where_a_takeover_goes_on(
    store: MemoryStore,
    broker: Broker,
    fences: tuple[int, ...],
    committed: int | None,
    at: int,
    publish_from: int,
) -> None:
    for slot, fence in enumerate(fences):
        store.fences[slot, TP] = fence
    broker.committed = committed
    await broker.assign()
    assert broker.at == at
    assert broker.worker.watermark() == {TP: publish_from}, "what was published stays published"


async def test_a_successor_publishes_what_its_predecessor_only_counted(
    store: MemoryStore, producer: MemoryProducer, broker: Broker
) -> None:
    await broker.deliver_all()
    producer.sent.clear()
    broker.committed = 33
    await broker.assign()
    await broker.deliver_all()
    assert counted(store) == 40
    assert {sent.made.origin.offset for sent in producer.to("lists")} >= {35, 36, 37, 38, 39}
    assert min(sent.made.origin.offset for sent in producer.to("lists")) >= 33


async def test_a_log_that_begins_past_what_is_needed_halts(broker: Broker) -> None:
    broker.start = 3
    with pytest.raises(Halt, match="retention"):
        await broker.assign()


async def test_a_partition_that_left_is_not_handled(store: MemoryStore, broker: Broker) -> None:
    chunk = broker.fetch(5)
    assert chunk is not None
    await broker.worker.resume({})
    await take(broker.worker, [chunk])
    assert (counted(store), broker.rewinds, broker.worker.watermark()) == (0, 0, {})


async def test_a_partition_that_leaves_while_a_chunk_is_handled_ends_it(
    store: MemoryStore, producer: MemoryProducer, broker: Broker
) -> None:
    producer.holding = True
    chunk = broker.fetch(40)
    assert chunk is not None
    handling = asyncio.create_task(take(broker.worker, [chunk]))
    await until(lambda: bool(producer.waiting))
    await turns(50)  # the others go as far as they may
    await broker.worker.resume({})
    producer.holding = False
    for durable in producer.waiting:
        durable.set_result(None)
    await handling
    in_work = (MOST_UNDER_WAY + 1) * PORTION
    assert counted(store) == in_work, "the portions in work, and none after them"


async def test_a_portion_whose_cancellation_is_swallowed_does_not_hold_up_the_worker(
    store: MemoryStore,
    producer: MemoryProducer,
    broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As Redis' client does where its answer comes in the same moment."""
    applied, answer = store.apply, asyncio.Event()

    async def swallowing(calls: Sequence[SlotCall], epoch: str = "0") -> list[SlotReply]:
        if len(store.calls) > 0:
            with contextlib.suppress(asyncio.CancelledError):
                await answer.wait()
        return await applied(calls, epoch)

    monkeypatch.setattr(store, "apply", swallowing)
    producer.failure = ConnectionError()
    chunk = broker.fetch(2 * PORTION)
    assert chunk is not None
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionError):
            await take(broker.worker, [chunk])


async def test_the_position_does_not_move_before_the_lists_are_out(
    producer: MemoryProducer, broker: Broker
) -> None:
    producer.failure = ConnectionError()
    chunk = broker.fetch(5)
    assert chunk is not None
    with pytest.raises(ConnectionError):
        await take(broker.worker, [chunk])
    assert broker.worker.watermark() == {TP: 0}


async def test_a_stop_waits_for_what_is_in_work_and_lets_nothing_begin(
    store: MemoryStore, producer: MemoryProducer, broker: Broker
) -> None:
    producer.holding = True
    first, second = broker.fetch(5), broker.fetch(5)
    assert first is not None
    assert second is not None
    handling = [asyncio.create_task(take(broker.worker, [first]))]
    await until(lambda: bool(producer.waiting))
    stopping = asyncio.create_task(broker.worker.stop(timeout=30))
    await turns(5)
    handling.append(asyncio.create_task(take(broker.worker, [second])))
    assert not stopping.done()
    for durable in producer.waiting:
        durable.set_result(None)
    await stopping
    await turns(50)
    assert (counted(store), broker.worker.watermark()) == (5, {TP: 5})
    assert not handling[1].done()
    handling[1].cancel()


async def test_a_stop_does_not_wait_for_ever(producer: MemoryProducer, broker: Broker) -> None:
    producer.holding = True
    chunk = broker.fetch(5)
    assert chunk is not None
    handling = asyncio.create_task(take(broker.worker, [chunk]))
    await until(lambda: bool(producer.waiting))
    await broker.worker.stop(timeout=0.01)
    assert not handling.done()
    handling.cancel()


def roll_back(store: MemoryStore) -> None:
    """All slots to before the first record, state and fence alike."""
    store.fences.clear()
    store.shoppers.clear()
    store.seen.clear()
