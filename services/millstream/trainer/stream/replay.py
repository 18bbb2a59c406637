"""The stream, tick by tick: what a tick asks is answered before anything of it is learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from millstream.trainer.stream.live import Live
from millstream.trainer.stream.proposals import Proposals, Wanted, joined
from millstream.trainer.stream.rows import Row

EVENT = 0
NEVER = None
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
_ASKED_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Cadence:
    """When what happened is learnt: at the end of each such stretch of time, in ms; EVENT is after
    each event, NEVER not at all. `steps_ms`: of the taste alone."""

    name: str
    counts_ms: int | None
    steps_ms: int | None


STATIC = Cadence("ours, static", NEVER, NEVER)
FRESH = Cadence("ours, every event", EVENT, EVENT)
CADENCES = (
    STATIC,
    Cadence("ours, every day", DAY_MS, DAY_MS),
    Cadence("ours, every hour", HOUR_MS, HOUR_MS),
    Cadence("ours, every minute", MINUTE_MS, MINUTE_MS),
    FRESH,
    Cadence("ours, counts every event, model every day", EVENT, DAY_MS),
)


class Learner(Protocol):
    def propose(self, rows: Sequence[Row], first: int) -> Proposals:
        """Of each source, for questions numbered from `first`."""
        ...

    def learn(self, rows: Sequence[Row]) -> None:
        """Counts."""
        ...

    def step(self, rows: Sequence[Row]) -> None:
        """Gradient steps of the taste, if there is one."""
        ...


def is_asked(row: Row, min_earlier: int) -> bool:
    return bool(row.wanted) and row.earlier >= min_earlier


def wanted_of(asked: Sequence[Row], live: Live) -> Wanted:
    counts = [len(row.wanted) for row in asked]
    items = live.table.of(item for row in asked for item in row.wanted)
    return Wanted(np.repeat(np.arange(len(asked)), counts), items)


def replay(learner: Learner, rows: Sequence[Row], cadence: Cadence, min_earlier: int) -> Proposals:
    """What is proposed for each asked row; afterwards `learner` has learnt the rows, but for those
    of the last tick of a cadence that never ends it."""
    parts: list[Proposals] = []
    asked_before, unstepped = 0, list[Row]()
    for tick in ticks(rows, cadence.counts_ms):
        if unstepped and not _same_tick(unstepped[-1], tick[0], cadence.steps_ms):
            learner.step(unstepped)
            unstepped = []
        asked = [row for row in tick if is_asked(row, min_earlier)]
        for start in range(0, len(asked), _ASKED_AT_ONCE):
            parts.append(
                learner.propose(asked[start : start + _ASKED_AT_ONCE], asked_before + start)
            )
        asked_before += len(asked)
        if cadence.counts_ms is not NEVER:
            learner.learn(tick)
        if cadence.steps_ms is not NEVER:
            unstepped.extend(tick)
    learner.step(unstepped)
    return joined(parts)


def ticks(rows: Sequence[Row], period_ms: int | None) -> Iterator[Sequence[Row]]:
    """Rows of one stretch of time together, in their order."""
    if period_ms is NEVER:
        yield rows
        return
    start = 0
    for place in range(1, len(rows) + 1):
        if place == len(rows) or not _same_tick(rows[start], rows[place], period_ms):
            yield rows[start:place]
            start = place


def _same_tick(one: Row, other: Row, period_ms: int | None) -> bool:
    if period_ms is NEVER:
        return True
    return period_ms != EVENT and one.time_ms // period_ms == other.time_ms // period_ms
