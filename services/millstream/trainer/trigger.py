"""When it is time to train: enough lines in the lake, enough time, or somebody asked. Pure.

Counting lines means reading the lake, which takes seconds once it is large; how many records it
has is known at once. So lines are counted again only when the records since the last count make
it likely that there are enough, or once where no more come: orders may have become longer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from millstream.domain.events import MAX_ITEMS

# Looked at a little early: a batch of long orders may come.
_EARLY = 0.9
STILL_MS = 30_000
"""A lake that has not grown for so long stands still."""


class Why(StrEnum):
    LINES = "lines"
    REVIEWS = "reviews"
    TIME = "time"
    ASKED = "asked"
    DRIFT = "drift"


@dataclass(slots=True)
class Trigger:
    """`first_after`: lines before the first version; `every`: further lines before the next;
    `every_ms`: time after the last one, if there is anything new; `drift_looks`: records after
    which the newest lines are looked at, also where they are too few.

    Counted is what came after the last training, never the lines that a training used: with a
    window these stop growing."""

    first_after: int
    every: int
    every_ms: int | None = None
    drift_looks: int | None = None
    trained_to_ms: int | None = None
    """Log time of the newest line of the last training; None before the first."""
    trained_records: int = 0
    """What the lake held then."""
    trained_at_ms: int | None = None
    """When the last training began; None before the first."""
    _look_at: int | None = None
    _asked_ms: int | None = None
    _looked_records: int = 0
    _standing: tuple[int, int] = (0, 0)
    """Records when last told, and since when there are so many."""
    _per_record: float | None = None
    """Lines, at the last count."""

    @property
    def wanted(self) -> int:
        """Lines after the last training that make the next one."""
        return self.first_after if self.trained_to_ms is None else self.every

    @property
    def due_ms(self) -> int | None:
        """When time alone makes the next one, if a line is new."""
        if self.every_ms is None or self.trained_at_ms is None:
            return None
        return self.trained_at_ms + self.every_ms

    def expected(self, records: int) -> int | None:
        """Lines after the last training in a lake of so many records, by what the last count
        found; None before the first count."""
        if self._per_record is None:
            return None
        return round(max(0, records - self.trained_records) * self._per_record)

    def ask(self, requested_ms: int) -> None:
        """Somebody wants a training; what was asked before the last one began is done."""
        if self.trained_at_ms is None or requested_ms > self.trained_at_ms:
            self._asked_ms = requested_ms

    def due(self, now_ms: int) -> Why | None:
        """Whether to train however few lines are new."""
        if self._asked_ms is not None:
            return Why.ASKED
        due_ms = self.due_ms
        return Why.TIME if due_ms is not None and now_ms >= due_ms else None

    def worth_counting(self, records: int, now_ms: int) -> bool:
        """Whether the lake, with so many records, may have the lines that are wanted."""
        if records != self._standing[0]:
            self._standing = records, now_ms
        if self.looks_for_drift(records):
            return True
        if self._look_at is None:
            return (records - self.trained_records) * MAX_ITEMS >= self.wanted
        return records >= self._look_at or self._may_have_enough(records, now_ms)

    def _may_have_enough(self, records: int, now_ms: int) -> bool:
        """Of a lake that stands still and was not counted since: at least a quarter of the lines is
        expected. A shop's first orders may have been so much shorter."""
        is_still = now_ms - self._standing[1] >= STILL_MS and records != self._looked_records
        return is_still and 4 * (self.expected(records) or 0) >= self.wanted

    def looks_for_drift(self, records: int) -> bool:
        """Never before the first version, which is what it would have drifted from."""
        if self.drift_looks is None or self.trained_to_ms is None:
            return False
        return records - self._looked_records >= self.drift_looks

    def counted(self, records: int, new_lines: int) -> bool:
        """Takes note of a count of the lines after the last training; true if it is time."""
        self._looked_records = records
        new = max(1, records - self.trained_records)
        self._per_record = new_lines / new
        if new_lines >= self.wanted:
            return True
        missing = (self.wanted - new_lines) * new / new_lines if new_lines else new
        self._look_at = records + max(1, int(missing * _EARLY))
        return False

    def trained(self, records: int, last_log_ms: int | None, began_ms: int) -> None:
        """A training on the lake as it stood then has ended, whatever became of its version; it
        was what anybody asked for until it began."""
        self.trained_to_ms = last_log_ms
        self.trained_records = self._looked_records = records
        self.trained_at_ms = began_ms
        self._look_at = None
        if self._asked_ms is not None and self._asked_ms <= began_ms:
            self._asked_ms = None
