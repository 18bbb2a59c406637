"""What an operator may change under us at any time, asked again and again: by the clock, and by who
counts before it counts on. A process that is starved runs late, but counts no further than that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Recheck:
    """`require` raises Halt where the thing does not hold; `now`: seconds of a clock that only
    rises. What it held at the start is taken as asked then."""

    def __init__(
        self, require: Callable[[], Awaitable[None]], every_s: float, now: Callable[[], float]
    ) -> None:
        self._require = require
        self._every_s = every_s
        self._now = now
        self._asked = now()

    async def hold(self) -> None:
        """At once where it was asked less than `every_s` ago. Raises as `require` does."""
        now = self._now()
        if now - self._asked < self._every_s:
            return
        await self._require()
        self._asked = now

    async def run(self) -> None:
        """For ever, for a worker that has nothing to count. Raises as `require` does."""
        while True:
            # Who counted may have asked just before: so none is older than one and a half periods.
            await asyncio.sleep(self._every_s / 2)
            await self.hold()
