"""Whether the worker goes on while there is something to go on with; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from millstream.domain.errors import Halt
from millstream.domain.log import Partition

PATIENCE_S = 30.0


class Watchdog:
    """Clients of Kafka are known to stop without an error, some of their partitions or all; only
    what they don't do shows it. Told what was seen every few seconds, it raises Halt after
    PATIENCE_S of seeing the same of a partition.

    While a worker holds all the records that it can, it asks its client for none: then a partition
    stands still through no fault of the client's for as long as any other goes on."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._still: dict[Partition, tuple[int | None, float]] = {}
        self._places: dict[Partition, int | None] = {}
        self._went_on = 0.0

    def excuse(self) -> None:
        """It could not have gone on, or one can't tell: the time so far does not count."""
        self._still.clear()

    def look(
        self,
        now: float,
        standing: Mapping[Partition, int | None],
        behind: Collection[Partition],
        *,
        is_full: bool = False,
    ) -> None:
        """`now`: seconds of a clock that only rises; `standing`: of each assigned partition the
        next offset to handle, None where nobody has said where to begin; `behind`: those of which
        the log has a record there; `is_full`: the worker holds all the records that it can."""
        if standing != self._places:
            self._places, self._went_on = dict(standing), now
        still = {
            tp: self._seen(tp, at, now) for tp, at in standing.items() if at is None or tp in behind
        }
        if is_full:
            still = {tp: (at, max(since, self._went_on)) for tp, (at, since) in still.items()}
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
