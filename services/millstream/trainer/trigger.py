"""When it is time to train: enough lines in the lake. Pure.

Counting lines means reading the lake, which takes seconds once it is large; how many records it
has is known at once. So lines are counted again only when the records since the last count make
it likely that there are enough."""

from __future__ import annotations

from dataclasses import dataclass

from millstream.domain.events import MAX_ITEMS

# Looked at a little early: a batch of long orders may come.
_EARLY = 0.9


@dataclass(slots=True)
class Trigger:
    """`first_after`: lines before the first version; `every`: further lines before the next.

    Counted is what came after the last training, never the lines that a training used: with a
    window these stop growing."""

    first_after: int
    every: int
    trained_to_ms: int | None = None
    """Log time of the newest line of the last training; None before the first."""
    trained_records: int = 0
    """What the lake held then."""
    _look_at: int | None = None

    @property
    def wanted(self) -> int:
        """Lines after the last training that make the next one."""
        return self.first_after if self.trained_to_ms is None else self.every

    def worth_counting(self, records: int) -> bool:
        """Whether the lake, with so many records, may have the lines that are wanted."""
        if self._look_at is None:
            return (records - self.trained_records) * MAX_ITEMS >= self.wanted
        return records >= self._look_at

    def counted(self, records: int, new_lines: int) -> bool:
        """Takes note of a count of the lines after the last training; true if it is time."""
        if new_lines >= self.wanted:
            return True
        new = max(1, records - self.trained_records)
        missing = (self.wanted - new_lines) * new / new_lines if new_lines else new
        self._look_at = records + max(1, int(missing * _EARLY))
        return False

    def trained(self, records: int, last_log_ms: int) -> None:
        """A training on the lake as it stood then has ended, whatever became of its version."""
        self.trained_to_ms = last_log_ms
        self.trained_records = records
        self._look_at = None
