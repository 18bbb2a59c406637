"""Stage 1: the window of the lake that a version is trained on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import polars as pl

DAY_MS = 86_400_000
COLUMNS = ("user", "event_id", "type", "item", "time_ms", "log_ms", "country")
"""What is learnt from a line; its country is null where none was told."""


class Lake(Protocol):
    """The accepted lines of one topic and tenant."""

    def accepted(self, since_log_ms: int | None) -> pl.DataFrame:
        """One row for each item line: COLUMNS, in log-time order. Blocks on the disk."""
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

    @property
    def last_log_ms(self) -> int | None:
        """None where there are no lines."""
        return int(self.lines["log_ms"][-1]) if self.lines.height else None

    def count(self, types: Collection[str]) -> int:
        return _count(self.lines, types)


@dataclass(frozen=True, slots=True)
class Collected:
    window: Window
    new_lines: pl.DataFrame
    """(k, >= 7): what came after the last training, also what the window no longer holds."""

    def count_new(self, types: Collection[str]) -> int:
        return _count(self.new_lines, types)


def collect(lake: Lake, window_days: float | None, after_log_ms: int | None = None) -> Collected:
    """The whole lake, or the `window_days` before its newest record (not before now: the log may
    be a replay of old events); and the lines later than `after_log_ms`, None: all that are read.
    Blocks.

    Lines that reach the lake out of log-time order, or in the very millisecond of `after_log_ms`,
    are in the window but may be missing from the new ones: the next training is that much later."""
    offsets = lake.offsets()
    newest = None if window_days is None else lake.newest_log_ms()
    if newest is None or window_days is None:
        lines = lake.accepted(None)
        return Collected(Window(lines, offsets), _later(lines, after_log_ms))
    since = newest - round(window_days * DAY_MS)
    lines = lake.accepted(since if after_log_ms is None else min(since, after_log_ms))
    window = Window(lines.filter(pl.col("log_ms") >= since), offsets)
    return Collected(window, _later(lines, after_log_ms))


def _later(lines: pl.DataFrame, log_ms: int | None) -> pl.DataFrame:
    return lines if log_ms is None else lines.filter(pl.col("log_ms") > log_ms)


def _count(lines: pl.DataFrame, types: Collection[str]) -> int:
    return lines.filter(pl.col("type").is_in(list(types))).height
