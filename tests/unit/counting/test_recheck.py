"""Who counts asks before it counts on, whoever else was to ask and was late."""

from __future__ import annotations

import asyncio

import pytest

from millstream.counting.recheck import Recheck
from millstream.domain.errors import Halt


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Policy:
    def __init__(self) -> None:
        self.asked = 0
        self.good = True

    async def require(self) -> None:
        self.asked += 1
        if not self.good:
            raise Halt("it would drop counts")


async def test_it_is_asked_once_in_a_while_however_often_is_counted() -> None:
    clock, policy = Clock(), Policy()
    recheck = Recheck(policy.require, 4.0, clock)
    for _ in range(80):
        await recheck.hold()
        clock.now += 0.1
    assert policy.asked == 1


async def test_after_a_change_no_more_is_counted_than_in_one_period() -> None:
    clock, policy = Clock(), Policy()
    recheck = Recheck(policy.require, 4.0, clock)
    clock.now += 30  # starved: nobody asked
    policy.good = False
    with pytest.raises(Halt):
        await recheck.hold()
    with pytest.raises(Halt):
        await recheck.hold()  # what did not hold is asked again


async def test_a_worker_with_nothing_to_count_asks_too() -> None:
    policy = Policy()
    policy.good = False
    async with asyncio.timeout(5):
        with pytest.raises(Halt):
            await Recheck(policy.require, 0.01, asyncio.get_running_loop().time).run()
