"""Whether the worker goes on while there is something to go on with; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from millstream.domain.errors import Halt
from millstream.domain.log import Partition

PATIENCE_S = 30.0


class Watchdog:
    """Clients of Kafka are known to stop without an error, some of their partitions or all; only
    what they don't do shows it. Told what was seen every few seconds, it raises Halt after
    PATIENCE_S of seeing the same of a partition."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._still: dict[Partition, tuple[int | None, float]] = {}

    def excuse(self) -> None:
        """It could not have gone on, or one can't tell: the time so far does not count."""
        self._still.clear()

    def look(
        self, now: float, standing: Mapping[Partition, int | None], behind: Collection[Partition]
    ) -> None:
        """`now`: seconds of a clock that only rises; `standing`: of each assigned partition the
        next offset to handle, None where nobody has said where to begin; `behind`: those of which
        the log has a record there."""
        still = {
            tp: self._seen(tp, at, now) for tp, at in standing.items() if at is None or tp in behind
        }
        self._still = still
        stuck = sorted(tp for tp, (_, since) in still.items() if now - since >= self._patience_s)
        if stuck:
            numbers = ", ".join(str(number) for _, number in stuck)
            raise Halt(
                f"nothing was handled for {self._patience_s:.0f} s, and the log has records "
                f"for partitions {numbers} of {stuck[0][0]}: the consumer is stuck. See "
                "deploy/runbooks/stuck.md"
            )

    def _seen(self, tp: Partition, at: int | None, now: float) -> tuple[int | None, float]:
        known = self._still.get(tp)
        return known if known is not None and known[0] == at else (at, now)
