"""Ranges to slots: what is claimed of the log is what this worker has seen of it."""

from __future__ import annotations

import asyncio

import pytest
from tests.builders import NOON_MS, TOPIC, arrival, decoded, event
from tests.parsed_ops import parse_ops
from tests.unit.recommender.conftest import SLOTS, MemoryStore, record

from millstream.counting.fenced import IDLE_MS, IDLE_RECORDS, FenceMoved
from millstream.domain.errors import Halt, Reason
from millstream.domain.events import EventType
from millstream.domain.identity import slot_of
from millstream.features.type_counts import TYPE_COUNTS
from millstream.recommender.record import Recorder
from millstream.stores.ops import BAD_RECORD
from millstream.streaming.decode import Decoded, Letter

TP = (TOPIC, 0)


class Clock:
    def __init__(self) -> None:
        self.now = NOON_MS

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorder(store: MemoryStore, clock: Clock) -> Recorder:
    made = Recorder(store, store.numbers, SLOTS, clock)
    made.resume({TP: [0] * SLOTS}, "0")
    return made


def views(*users: str, start: int = 0) -> Decoded:
    return decoded(
        [
            arrival(event(f"e{start + n}", user), start + n)
            for n, user in enumerate(users)
        ],
        start=start,
    )  # fmt: skip


async def test_shoppers_of_one_slot_share_a_call_and_each_gets_its_state(
    store: MemoryStore, recorder: Recorder
) -> None:
    users = [f"u{n}" for n in range(20)]
    recorded = await record(recorder, views(*users, *users))
    slots = {slot_of("default", user, SLOTS) for user in users}
    assert {call.slot for call in store.calls} == slots
    assert len(store.calls) == len(slots)
    assert recorded.verdicts == {"a": 40}
    for user in users:
        counts = recorded.states["default", user].read(TYPE_COUNTS, NOON_MS)
        assert counts == {EventType.VIEW_ITEM: 2}
        assert recorded.due["default", user].event.event_id == f"e{20 + int(user[1:])}"


async def test_a_repeated_range_counts_nothing_and_owes_the_lists_again(
    store: MemoryStore, recorder: Recorder
) -> None:
    await record(recorder, views("ann", "bob"))
    again = await record(recorder, views("ann", "bob"))
    assert (again.counted, again.verdicts) == ([], {"-": 2})
    assert again.due.keys() == {("default", "ann"), ("default", "bob")}
    assert again.states["default", "ann"].read(TYPE_COUNTS, NOON_MS) == {EventType.VIEW_ITEM: 1}


async def test_a_duplicate_owes_no_list(recorder: Recorder) -> None:
    await record(recorder, views("ann"))
    copy = decoded([arrival(event("e0", "ann"), 1)], start=1)
    recorded = await record(recorder, copy)
    assert (recorded.verdicts, recorded.due, recorded.counted) == ({"d": 1}, {}, [])


async def test_what_has_no_room_is_told(store: MemoryStore, recorder: Recorder) -> None:
    store.room = 1
    recorded = await record(recorder, views("ann", "ann"))
    assert [over.offset for over in recorded.over] == [1]
    assert recorded.due["default", "ann"].offset == 0


async def test_letters_are_counted_where_their_place_says_and_offsets_rise(
    store: MemoryStore, recorder: Recorder
) -> None:
    letters = [Letter(n, NOON_MS, Reason.BAD_ID) for n in range(1, 60, 2)]
    letters[0] = Letter(1, NOON_MS, Reason.LATE)
    arrivals = [arrival(event(f"e{n}", f"u{n}"), n) for n in range(0, 60, 2)]
    recorded = await record(recorder, decoded(arrivals, letters))
    assert recorded.verdicts == {"a": 30, "b": 29, "l": 1}
    assert {call.slot for call in store.calls} == set(range(SLOTS))
    for call in store.calls:
        offsets = [op.offset for op in parse_ops(call.ops)]
        assert offsets == sorted(offsets)
    assert sorted(op.offset for call in store.calls for op in parse_ops(call.ops)) == list(
        range(60)
    )


async def test_a_letter_is_of_the_tenant_that_it_names_where_that_is_one(
    store: MemoryStore, recorder: Recorder
) -> None:
    """What a key says before its colon may be anything."""
    whose = ["default", "never-met", None] * 8
    letters = [Letter(n, NOON_MS, Reason.BAD_ID, of) for n, of in enumerate(whose, 1)]
    recorded = await record(recorder, decoded([arrival(event("e0", "ann"), 0)], letters))
    assert recorded.by_tenant == {("default", "a"): 1, ("default", "b"): 8, (None, "b"): 16}
    named = [
        call.tenants[op.log_ms - 1]
        for call in store.calls
        for op in parse_ops(call.ops)
        if op.kind == BAD_RECORD and op.log_ms
    ]
    assert named == ["default"] * 8


async def test_a_slot_is_called_from_its_own_fence(store: MemoryStore, recorder: Recorder) -> None:
    """The slot saw nothing of the first range: the second call claims that too."""
    first, second = _two_slots()
    await record(recorder, views(first, first))
    await record(recorder, views(second, start=2))
    assert [(call.start, call.to) for call in store.calls] == [(0, 2), (0, 3)]
    await record(recorder, views(first, start=3))
    assert store.calls[-1].start == 2


async def test_a_slot_that_rolled_back_is_noticed(store: MemoryStore, recorder: Recorder) -> None:
    await record(recorder, views("ann"))
    store.fences.clear()
    with pytest.raises(FenceMoved):
        await record(recorder, views("ann", start=1))


async def test_ranges_of_all_partitions_go_in_one_round_trip(
    store: MemoryStore, recorder: Recorder
) -> None:
    recorder.resume({TP: [0] * SLOTS, (TOPIC, 1): [0] * SLOTS}, "0")
    there = arrival(event("e9", "ann"), 0, NOON_MS + 5, partition=1)
    recorded = await record(recorder, views("ann"), decoded([there], partition=1))
    assert recorded.verdicts == {"a": 2}
    assert recorded.due["default", "ann"] == there, "the newest by log time"
    assert recorded.states["default", "ann"].read(TYPE_COUNTS, 0) == {EventType.VIEW_ITEM: 2}


async def test_a_range_whose_call_failed_is_not_claimed_as_empty(
    store: MemoryStore, recorder: Recorder
) -> None:
    """What runs beside the chunks may get a turn before the failure ends the process."""
    store.failure = ConnectionError()
    with pytest.raises(ConnectionError):
        await record(recorder, views("ann"))
    store.failure = None
    await recorder.advance_idle()
    assert not any(store.fences.values())


async def test_a_range_under_way_at_a_new_assignment_is_not_claimed_as_empty(
    store: MemoryStore, recorder: Recorder
) -> None:
    calling = asyncio.create_task(record(recorder, views("ann")))
    await asyncio.sleep(0)
    recorder.resume({TP: [0] * SLOTS}, "0")
    await calling
    await recorder.advance_idle()
    assert sorted(store.fences[slot, TP] for slot in range(SLOTS)) == [0] * (SLOTS - 1) + [1]


async def test_another_epoch_halts(store: MemoryStore, recorder: Recorder) -> None:
    store.epoch = "1"
    with pytest.raises(Halt, match="epoch"):
        await record(recorder, views("ann"))


async def test_a_partition_of_another_worker_is_refused(recorder: Recorder) -> None:
    recorder.resume({}, "0")
    with pytest.raises(FenceMoved):
        await record(recorder, views("ann"))


async def test_a_partition_that_leaves_during_the_call_does_no_harm(
    store: MemoryStore, recorder: Recorder
) -> None:
    calling = asyncio.create_task(record(recorder, views("ann")))
    await asyncio.sleep(0)
    assert store.calls
    assert not calling.done()
    recorder.resume({}, "0")
    assert (await calling).verdicts == {"a": 1}
    await recorder.advance_idle()


async def test_lagging_slots_come_along_after_a_while(
    store: MemoryStore, recorder: Recorder, clock: Clock
) -> None:
    await record(recorder, views("ann"))
    assert len(store.calls) == 1
    clock.now += IDLE_MS
    await record(recorder, views("ann", start=1))
    assert {store.fences[slot, TP] for slot in range(SLOTS)} == {2}


async def test_lagging_slots_come_along_after_many_records(
    store: MemoryStore, recorder: Recorder
) -> None:
    far = decoded([arrival(event("e0", "ann"), 0)], to=IDLE_RECORDS)
    await record(recorder, far)
    assert {store.fences[slot, TP] for slot in range(SLOTS)} == {IDLE_RECORDS}


async def test_idle_slots_are_brought_up_once(store: MemoryStore, recorder: Recorder) -> None:
    await record(recorder, views("ann"))
    await recorder.advance_idle()
    assert {store.fences[slot, TP] for slot in range(SLOTS)} == {1}
    calls = len(store.calls)
    await recorder.advance_idle()
    assert len(store.calls) == calls
    recorder.resume({TP: [0] * SLOTS}, "0")
    await recorder.advance_idle()
    assert len(store.calls) == calls, "what was seen before a new assignment is not claimed"


def _two_slots() -> tuple[str, str]:
    """Shoppers of different slots."""
    first = "u0"
    other = next(
        f"u{n}"
        for n in range(1, 99)
        if slot_of("default", f"u{n}", SLOTS) != slot_of("default", first, SLOTS)
    )
    return first, other
