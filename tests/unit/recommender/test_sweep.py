"""Who has the lease sums; who has not leaves it alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from millstream.recommender import sweep
from millstream.recommender.sweep import FULL_SHARE, LEASE_SECONDS, LONGEST_PAUSES_S, SHARE, Sweeper
from millstream.stores.item_totals import ItemTotals

DIRTY = (SHARE, LONGEST_PAUSES_S)


class Totals(ItemTotals):
    """Gives the lease as told, and writes down what is asked of it until there is no answer."""

    def __init__(self, leases: Iterator[bool]) -> None:
        self._leases = leases
        self.asked: list[tuple[float, ...]] = []
        self.owners: set[tuple[str, int]] = set()

    async def lease(self, owner: str, seconds: int) -> bool:
        self.owners.add((owner, seconds))
        try:
            return next(self._leases)
        except StopIteration:
            raise EndError from None

    async def sweep_dirty(self, share: float = 1.0, longest_s: float = 0.0) -> int:
        self.asked.append((share, longest_s))
        return 0

    async def sweep_all(self, share: float = 1.0) -> int:
        self.asked.append((share,))
        raise EndError


class EndError(Exception):
    pass


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "SWEEP_SECONDS", 0.0)
    monkeypatch.setattr(sweep, "FULL_SWEEP_SECONDS", 0.0)


async def test_only_with_the_lease_is_anything_summed() -> None:
    totals = Totals(iter([False, True, False, True]))
    with pytest.raises(EndError):
        await Sweeper(totals).run()
    assert totals.asked == [DIRTY, DIRTY]
    ((_, seconds),) = totals.owners
    assert seconds == LEASE_SECONDS


async def test_the_full_sweep_is_for_who_leads() -> None:
    totals = Totals(iter([True]))
    sweeper = Sweeper(totals)
    full = asyncio.create_task(sweeper.run_full())
    for _ in range(3):
        await asyncio.sleep(0)
    assert totals.asked == []
    with pytest.raises(EndError):
        await sweeper.run()
    with pytest.raises(EndError):
        await full
    assert totals.asked == [DIRTY, (FULL_SHARE,)]
