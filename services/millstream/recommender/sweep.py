"""Beside the pipeline: the item totals, kept up to date by one worker at a time."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from millstream.stores.item_totals import ItemTotals

SWEEP_SECONDS = 1.0
FULL_SWEEP_SECONDS = 3600.0
LEASE_SECONDS = 5
SHARE, LONGEST_PAUSES_S = 0.3, 2.0
"""Of the time, while there is something to sum; pauses in one sweep, well within the lease."""
FULL_SHARE = 0.1
"""A full sweep looks for what should not be there: it has time."""


class Sweeper:
    def __init__(self, totals: ItemTotals) -> None:
        self._totals = totals
        self._owner = uuid4().hex
        self._leads = False

    async def run(self) -> None:
        """Until cancelled: what changed, once a second and while this worker has the lease."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._leads = await self._totals.lease(self._owner, LEASE_SECONDS)
            if self._leads:
                await self._totals.sweep_dirty(SHARE, LONGEST_PAUSES_S)

    async def run_full(self) -> None:
        """Until cancelled: everything, an hour after the full sweep before it."""
        while True:
            await asyncio.sleep(FULL_SWEEP_SECONDS)
            if self._leads:
                await self._totals.sweep_all(FULL_SHARE)
