"""Calls with pauses between them."""

from __future__ import annotations

import pytest

from millstream.stores import pacing
from millstream.stores.pacing import paced


class Clock:
    """Moves where a call takes its time, and tells the pauses that were asked for."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pacing, "monotonic", lambda: made.now)
    monkeypatch.setattr("millstream.stores.pacing.asyncio.sleep", made.sleep)
    return made


async def _through(clock: Clock, took: list[float], share: float, longest_s: float) -> None:
    async for seconds in paced(took, share, longest_s):
        clock.now += seconds


async def test_each_call_is_followed_by_a_pause_in_proportion(clock: Clock) -> None:
    await _through(clock, [0.01, 0.03], 0.1, 100.0)
    assert clock.pauses == pytest.approx([0.09, 0.27])


async def test_all_pauses_together_have_a_bound(clock: Clock) -> None:
    await _through(clock, [1.0, 1.0, 0.001, 1.0], 0.1, 2.0)
    assert clock.pauses == pytest.approx([0.5, 0.5, 0.009, 0.5])


async def test_a_share_of_one_never_waits(clock: Clock) -> None:
    await _through(clock, [1.0, 2.0], 1.0, 5.0)
    assert clock.pauses == [0.0, 0.0]
