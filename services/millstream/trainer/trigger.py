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
    """`first_after`: lines before the first version; `every`: further lines before the next."""

    first_after: int
    every: int
    trained_lines: int = 0
    _look_at: int | None = None

    @property
    def wanted(self) -> int:
        """Lines the lake must hold for the next training."""
        return self.trained_lines + self.every if self.trained_lines else self.first_after

    def worth_counting(self, records: int) -> bool:
        """Whether the lake, with so many records, may have the lines that are wanted."""
        if self._look_at is None:
            return records * MAX_ITEMS >= self.wanted
        return records >= self._look_at

    def counted(self, records: int, lines: int) -> bool:
        """Takes note of a count; true if it is time to train."""
        if lines >= self.wanted:
            return True
        missing = (self.wanted - lines) * records / lines if lines else records
        self._look_at = records + max(1, int(missing * _EARLY))
        return False

    def trained(self, lines: int) -> None:
        """A training that used so many lines has ended, whatever became of its version."""
        self.trained_lines = lines
        self._look_at = None
