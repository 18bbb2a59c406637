"""What the simulated tier compares, and that a schedule which can't be played is no finding."""

from __future__ import annotations

import pytest

from millstream.domain.errors import OperatorError
from millstream.local.chaos.mutants import SOURCE
from millstream.local.chaos.schedule_verdict import alike
from millstream.local.chaos.schedules import Schedule
from millstream.local.chaos.simulation import simulate


@pytest.mark.parametrize(
    ("found", "due", "same"),
    [
        (None, 1.5, False),
        (1.5, None, False),
        (None, None, True),
        (1.0, 1.0 + 1e-9, True),
        (1.0, 1.1, False),
        (("a", 1.0), ("a", 1.0 + 1e-9), True),
        (("a",), ("a", "b"), False),
        (3, 3, True),
    ],
)
def test_a_value_that_is_missing_differs_from_every_number(
    found: object, due: object, same: bool
) -> None:
    assert alike(found, due) is same


async def test_a_schedule_that_breaks_down_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(_schedule: Schedule) -> list[str]:
        raise TypeError("must be real number")

    monkeypatch.setattr(Schedule, "problems", breaks)
    with pytest.raises(OperatorError, match="schedule 9000000: got TypeError"):
        await simulate(9, SOURCE, seconds=9, most=1, stop_at_first=True, told=lambda _: None)
