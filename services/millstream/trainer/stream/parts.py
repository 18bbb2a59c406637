"""A recording cut in three, one after the other in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from millstream.trainer.stream.replay import is_asked
from millstream.trainer.stream.rows import Recording, Row, rows_of

_HELD_OUT_SHARE = 0.08
"""Of all events."""
_HELD_OUT_MOST = 3_000


@dataclass(frozen=True, slots=True)
class Parts:
    """`before` is only learnt; on `held_out`, the last of it before the split, settings are chosen;
    `test` is asked once and then learnt."""

    before: Sequence[Row]
    held_out: Sequence[Row]
    test: Sequence[Row]
    min_earlier: int
    visit_gap_ms: int

    def asked(self, rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if is_asked(row, self.min_earlier)]

    @property
    def items(self) -> int:
        """Distinct ones in all: the room that arrays by item need."""
        every = (self.before, self.held_out, self.test)
        return len({item for rows in every for row in rows for item in row.wanted})


def parts_of(recording: Recording) -> Parts:
    rows = list(rows_of(recording.events))
    held_out = min(int(len(rows) * _HELD_OUT_SHARE), recording.split // 2, _HELD_OUT_MOST)
    chosen_from = recording.split - held_out
    return Parts(
        rows[:chosen_from],
        rows[chosen_from : recording.split],
        rows[recording.split :],
        recording.min_earlier,
        recording.visit_gap_ms,
    )
