"""Several portions at a time, each step in order, and nothing that goes wrong goes unnoticed."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.recommender.conftest import turns

from millstream.counting.fenced import FenceMoved
from millstream.recommender.flights import Flight, Flights, Turn

MOST = 2


class Tower:
    """Portions that go on to their next step when they are told to."""

    def __init__(self) -> None:
        self.told = 0
        self.flights = Flights(MOST, self._count)
        self.steps: list[tuple[str, str]] = []
        self.gates: dict[str, asyncio.Event] = {}

    def _count(self) -> None:
        self.told += 1

    def portion(self, name: str, failure: Exception | None = None) -> Flight:
        gate = self.gates[name] = asyncio.Event()

        async def flight(before: Turn, turn: Turn) -> None:
            await before.recorded.wait()
            before.require()
            self.steps.append((name, "recorded"))
            turn.recorded.set()
            await gate.wait()
            if failure is not None:
                raise failure
            await before.delivered.wait()
            before.require()
            self.steps.append((name, "delivered"))

        return flight


@pytest.fixture
def tower() -> Tower:
    return Tower()


async def test_a_portion_is_recorded_while_the_one_before_is_delivered(tower: Tower) -> None:
    for name in "ab":
        await tower.flights.begin(tower.portion(name))
    await turns(5)
    assert tower.steps == [("a", "recorded"), ("b", "recorded")]
    tower.gates["b"].set()
    await turns(5)
    assert len(tower.steps) == 2, "b waits for a"
    tower.gates["a"].set()
    await tower.flights.landed()
    assert tower.steps[2:] == [("a", "delivered"), ("b", "delivered")]
    assert tower.told == 2


async def test_no_more_than_so_many_are_under_way(tower: Tower) -> None:
    for name in "ab":
        await tower.flights.begin(tower.portion(name))
    third = asyncio.create_task(tower.flights.begin(tower.portion("c")))
    await turns(5)
    assert not third.done()
    for gate in tower.gates.values():
        gate.set()
    await third
    await tower.flights.landed()


async def test_those_after_one_that_failed_come_to_nothing(tower: Tower) -> None:
    await tower.flights.begin(tower.portion("a", ConnectionError()))
    await tower.flights.begin(tower.portion("b"))
    for gate in tower.gates.values():
        gate.set()
    await turns(5)
    with pytest.raises(ConnectionError):
        tower.flights.look()
    with pytest.raises(FenceMoved):
        await tower.flights.landed()
    await tower.flights.landed()
    assert ("b", "delivered") not in tower.steps


async def test_what_is_given_up_holds_up_nobody(tower: Tower) -> None:
    await tower.flights.begin(tower.portion("a"))
    await tower.flights.give_up()
    await tower.flights.recorded()
    await tower.flights.begin(tower.portion("b"))
    tower.gates["b"].set()
    await tower.flights.landed()
    assert tower.steps[-1] == ("b", "delivered")


async def test_an_end_does_not_ask_how(tower: Tower) -> None:
    await tower.flights.begin(tower.portion("a", ConnectionError()))
    tower.gates["a"].set()
    await tower.flights.ended()
