"""A worker that was stopped between two stages does not publish what it drafted before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import TOPIC, event, record
from tests.unit.recommender.conftest import MemoryProducer, MemoryStore

from millstream.counting.fenced import FenceMoved
from millstream.recommender.pipeline import Part, Stages, answer, deliver, prepare
from millstream.recommender.pipeline import record as record_ranges
from millstream.recommender.tenure import Tenure
from millstream.streaming.cursor import Cursor


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tenure(clock: Clock) -> Tenure:
    return Tenure(3.0, clock)


def test_who_was_stopped_after_it_began_has_to_look_again(tenure: Tenure, clock: Clock) -> None:
    began = tenure.begin()
    clock.now += 3.5
    with pytest.raises(FenceMoved, match="3 s"):
        tenure.check(began)
    tenure.check(tenure.begin())


def test_that_a_tick_came_first_hides_nothing(tenure: Tenure, clock: Clock) -> None:
    began = tenure.begin()
    clock.now += 3.5
    tenure.begin()
    clock.now += 0.1
    with pytest.raises(FenceMoved):
        tenure.check(began)


def test_to_wait_long_while_the_loop_goes_on_is_no_stop(tenure: Tenure, clock: Clock) -> None:
    began = tenure.begin()
    for _ in range(40):
        clock.now += 0.5
        tenure.begin()
    tenure.check(began)


async def test_what_was_drafted_before_the_stop_is_not_sent(
    stages: Stages, store: MemoryStore, producer: MemoryProducer, tenure: Tenure, clock: Clock
) -> None:
    stages = replace(stages, tenure=tenure)
    cursor = Cursor(0, 0)
    part = Part((TOPIC, 0), [record(event("e1", "ann", "a"))], 0, cursor)

    async def handled() -> None:
        stages.recorder.resume(store.positions([(TOPIC, 0)]), "0")
        ready = await prepare([part], stages)
        began = tenure.begin()
        recorded = await record_ranges(ready, stages)
        sending = await answer(ready, recorded, stages, lambda: tenure.check(began))
        await deliver(ready, recorded, sending, stages)

    apply = store.apply

    async def stopped(*given: object, **more: object) -> object:
        clock.now += 60
        return await apply(*given, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "apply", stopped)
        with pytest.raises(FenceMoved):
            await handled()
    assert (producer.sent, cursor.expected) == ([], 0)
    await handled()
    assert (len(producer.sent), cursor.expected) == (1, 1)
