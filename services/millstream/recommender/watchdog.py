"""Whether the worker goes on while there is something to go on with; pure."""

from __future__ import annotations

from collections.abc import Iterable

from millstream.domain.errors import Halt
from millstream.streaming.transport import Partition

PATIENCE_S = 30.0


class Watchdog:
    """Clients of Kafka are known to stop without an error; only what they don't do shows it. Told
    what was seen every few seconds, it raises Halt after PATIENCE_S of seeing the same."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._still: tuple[int, float] | None = None

    def excuse(self) -> None:
        """It could not have gone on, or one can't tell: the time so far does not count."""
        self._still = None

    def look(self, now: float, handled: int, behind: Iterable[Partition]) -> None:
        """`now`: seconds of a clock that only rises; `handled`: a number that grows with all that
        is done; `behind`: partitions of which the log has a record that is not handled."""
        waiting = sorted(behind)
        if not waiting or self._still is None or self._still[0] != handled:
            self._still = (handled, now) if waiting else None
            return
        if now - self._still[1] >= self._patience_s:
            numbers = ", ".join(str(number) for _, number in waiting)
            raise Halt(
                f"nothing was handled for {now - self._still[1]:.0f} s, and the log has records "
                f"for partitions {numbers} of {waiting[0][0]}: the consumer is stuck. See "
                "deploy/runbooks/stuck.md"
            )
