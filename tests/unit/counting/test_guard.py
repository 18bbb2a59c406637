"""The guard: what the log lost or swapped under a worker that runs, and a worker that stands."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from tests.builders import TOPIC, event, record
from tests.unit.streaming.test_witness import MemoryLog

from millstream.counting.guard import GUARD_SECONDS, PROMPT_S, Guard, Standing
from millstream.counting.watchdog import PATIENCE_S, Watchdog
from millstream.domain.errors import Halt
from millstream.domain.log import Partition
from millstream.streaming.decode import witness_of

TP = (TOPIC, 0)
LOOKS = round(PATIENCE_S / GUARD_SECONDS) + 1
"""As many as a worker that stands still survives, less one."""


@dataclass
class Scene:
    """Twenty records, of which the worker has handled ten."""

    log: MemoryLog = field(
        default_factory=lambda: MemoryLog({n: record(event(f"e{n}"), n) for n in range(20)})
    )
    assigned: frozenset[Partition] = frozenset({TP})
    at: Standing = field(default_factory=lambda: Standing(0, ""))
    now: float = 0.0
    redis_takes_s: float = 0.0
    stored: Exception | None = None
    is_full: bool = False

    def __post_init__(self) -> None:
        self.go_on(10)
        self.guard = Guard(self, self.log, self.redis, lambda: self.now, lambda: self.assigned)

    def standing(self) -> dict[Partition, Standing]:
        return {TP: self.at}

    def go_on(self, to: int) -> None:
        self.at = Standing(to, witness_of(self.log.records[to - 1]))

    async def redis(self) -> None:
        self.now += self.redis_takes_s
        if self.stored:
            raise self.stored

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += GUARD_SECONDS
            await self.guard.look()


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_worker_that_goes_on_is_left_alone(scene: Scene) -> None:
    for to in range(11, 21):
        await scene.look(3)
        scene.go_on(to)
    await scene.look(5 * LOOKS)  # and has nothing more to do


async def test_a_log_that_was_swapped(scene: Scene) -> None:
    await scene.look()
    scene.log.records = {n: record(event(f"x{n}"), n) for n in range(40)}
    with pytest.raises(Halt, match=r"witness-mismatch.md"):
        await scene.look()


async def test_a_log_that_was_swapped_and_read_on_since(scene: Scene) -> None:
    await scene.look()
    scene.log.records = {n: record(event(f"x{n}"), n) for n in range(40)}
    scene.go_on(15)  # of the other log, whose record it takes for its witness
    with pytest.raises(Halt, match=r"witness-mismatch.md"):
        await scene.look()


async def test_a_log_that_lost_its_end(scene: Scene) -> None:
    scene.log.records = {n: found for n, found in scene.log.records.items() if n < 5}
    with pytest.raises(Halt, match=r"topic-recreated-or-truncated.md"):
        await scene.look()


async def test_retention_that_passed_the_worker(scene: Scene) -> None:
    scene.log.start = 10  # just what it still needs
    await scene.look()
    scene.log.start = 11
    with pytest.raises(Halt, match=r"begins at 11, and offsets from 10 .*retention-passed.md"):
        await scene.look()


async def test_retention_that_the_worker_outran_while_it_was_asked(scene: Scene) -> None:
    log, starts = scene.log, scene.log.starts

    async def meanwhile(partitions: object) -> dict[Partition, int] | None:
        scene.go_on(15)
        return await starts([TP])

    log.start = 12
    log.starts = meanwhile  # type: ignore[method-assign]
    await scene.look()


async def test_a_worker_that_stands_though_there_is_work(scene: Scene) -> None:
    await scene.look(LOOKS - 1)
    with pytest.raises(Halt, match=r"nothing was handled for 30 s.* partitions 0 of .*stuck.md"):
        await scene.look(2)


async def test_time_in_which_redis_took_no_call_does_not_count(scene: Scene) -> None:
    scene.redis_takes_s = PROMPT_S + 1
    await scene.look(3 * LOOKS)
    scene.redis_takes_s = 0
    await scene.look(LOOKS - 2)  # the last of the slow looks began the time anew
    with pytest.raises(Halt, match="stuck"):
        await scene.look(2)


async def test_time_in_which_the_broker_did_not_answer_does_not_count(scene: Scene) -> None:
    await scene.look(LOOKS - 2)
    scene.log.answers = False
    await scene.look(3 * LOOKS)
    scene.log.answers = True
    await scene.look(LOOKS - 1)
    with pytest.raises(Halt, match="stuck"):
        await scene.look(2)


async def test_each_portion_begins_the_time_anew(scene: Scene) -> None:
    for to in range(11, 16):
        await scene.look(LOOKS - 1)
        scene.go_on(to)


async def test_a_worker_that_was_left_without_partitions_has_no_work(scene: Scene) -> None:
    scene.assigned = frozenset()  # and still remembers where it stood
    await scene.look(3 * LOOKS)


async def test_a_partition_for_which_nobody_said_where_to_begin(scene: Scene) -> None:
    scene.assigned |= {(TP[0], 7)}
    for to in range(11, 10 + LOOKS):
        scene.go_on(to)
        await scene.look()
    with pytest.raises(Halt, match=r"partitions 7 of .*stuck.md"):
        await scene.look(2)


async def test_one_partition_that_stands_while_another_goes_on(scene: Scene) -> None:
    other = (TP[0], 1)
    scene.assigned |= {other}
    goes_on = Standing(0, "")
    scene.standing = lambda: {TP: scene.at, other: goes_on}  # type: ignore[method-assign]
    for number in range(LOOKS - 1):
        goes_on = Standing(number, "")
        await scene.look()
    with pytest.raises(Halt, match=r"partitions 0 of .*stuck.md"):
        await scene.look(2)


async def test_what_redis_says_ends_it(scene: Scene) -> None:
    scene.stored = Halt("another epoch")
    with pytest.raises(Halt, match="another epoch"):
        await scene.look()


OTHER = (TP[0], TP[1] + 1)


def watch(watchdog: Watchdog, turns: range, *, other_goes_on: bool, is_full: bool) -> None:
    """TP stands still, with work to do."""
    for turn in turns:
        places = {TP: 10, OTHER: turn if other_goes_on else 0}
        watchdog.look(turn * GUARD_SECONDS, places, {TP, OTHER}, is_full=is_full)


def test_a_full_worker_that_goes_on_elsewhere_is_left_alone() -> None:
    """Of a backlog the client is asked for little, and a partition may come late."""
    watchdog = Watchdog()
    watch(watchdog, range(40), other_goes_on=True, is_full=True)
    with pytest.raises(Halt, match=rf"partitions {TP[1]} of"):  # once it is asked for more
        watch(watchdog, range(40, 60), other_goes_on=True, is_full=False)


def test_a_full_worker_that_stands_is_noticed_as_any_other() -> None:
    turns = range(round(PATIENCE_S / GUARD_SECONDS) + 2)
    with pytest.raises(Halt, match=rf"partitions {TP[1]}, {OTHER[1]} of"):
        watch(Watchdog(), turns, other_goes_on=False, is_full=True)
