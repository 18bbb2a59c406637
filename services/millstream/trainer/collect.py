"""Stage 1: the window of the lake that a version is trained on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import polars as pl

DAY_MS = 86_400_000


class Lake(Protocol):
    """The accepted lines of one topic and tenant."""

    def accepted(self, since_log_ms: int | None) -> pl.DataFrame:
        """One row for each item line: user, event_id, type, item, price, time_ms, log_ms, in
        log-time order. Blocks on the disk."""
        ...

    def newest_log_ms(self) -> int | None:
        """Log time of the newest record, None for an empty lake. Quick."""
        ...

    def offsets(self) -> dict[int, int]:
        """Next offset per partition: quick, however large the lake is."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    lines: pl.DataFrame
    """(n, >= 7) as `Lake.accepted` gives it."""
    offsets: dict[int, int]
    """Everything below these is in `lines`; what arrived during the reading may be too."""

    def count(self, types: Collection[str]) -> int:
        return self.lines.filter(pl.col("type").is_in(list(types))).height


def collect(lake: Lake, window_days: float | None) -> Window:
    """The whole lake, or the `window_days` before its newest record (not before now: the log may
    be a replay of old events). Blocks."""
    offsets = lake.offsets()
    newest = None if window_days is None else lake.newest_log_ms()
    if newest is None or window_days is None:
        return Window(lake.accepted(None), offsets)
    return Window(lake.accepted(newest - round(window_days * DAY_MS)), offsets)
