"""Whether this process was stopped for so long that its partitions may be another's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from millstream.counting.fenced import FenceMoved

TICK_SECONDS = 0.5


class Tenure:
    """A process that was stopped, or whose loop was blocked, finds its last tick long ago. To wait
    for a slow Redis or broker is no such thing: the ticks go on, and so does the membership."""

    def __init__(self, seconds: float, now: Callable[[], float]) -> None:
        """`seconds`: half the session timeout; `now`: a clock that also runs while the process is
        stopped."""
        self._seconds = seconds
        self._now = now
        self._ticked = now()
        self._woke: float | None = None

    async def run(self) -> None:
        """For ever."""
        while True:
            self.begin()
            await asyncio.sleep(TICK_SECONDS)

    def begin(self) -> float:
        """A moment for `check`."""
        now = self._now()
        if now - self._ticked > self._seconds:
            self._woke = now
        self._ticked = now
        return now

    def check(self, began: float) -> None:
        """Raises FenceMoved where the process woke up after `began`: another worker may have the
        partitions by now, and may have taken back a list that would be sent again (an erased
        shopper's)."""
        self.begin()
        if self._woke is not None and self._woke > began:
            raise FenceMoved(f"this process stood still for more than {self._seconds:g} s")
