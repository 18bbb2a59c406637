"""What a rebuild does beside counting: what is derived is written by how much of it is held."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from millstream.rebuild import pipeline
from millstream.rebuild.history import History, Portion
from millstream.rebuild.pace import Pace
from millstream.rebuild.pipeline import Stages, run_pipeline
from millstream.recommender.quarantine import Quarantine

PORTIONS = 7
PAIRS = 100
"""Gathered of each portion."""


class Portions:
    async def portions(self) -> AsyncIterator[Sequence[Portion]]:
        for n in range(PORTIONS):
            yield [Portion(0, n, n + 1, ())]


class Recorder:
    async def prepare(self, decoded: Any) -> Any:
        return SimpleNamespace(decoded=decoded)

    async def record(self, prepared: Sequence[Any]) -> Any:
        return prepared

    async def advance_idle(self) -> None: ...


class Deriver:
    def __init__(self, fails: bool = False) -> None:
        self.held = 0
        self.flushed: list[int] = []
        self._fails = fails

    async def run(self) -> None:
        if self._fails:
            raise ArithmeticError("the sums")
        await asyncio.Event().wait()

    def gather(self, _recorded: Any) -> None:
        self.held += PAIRS

    async def flush(self) -> None:
        self.flushed.append(self.held)
        self.held = 0


async def run(deriver: Deriver) -> Pace:
    pace = Pace(multiprocessing.get_context("spawn"), 1)
    unread = cast(Quarantine, None)  # no portion has records
    stages = Stages("t", unread, cast(Any, Recorder()), cast(Any, deriver), pace)
    await run_pipeline(cast(History, Portions()), stages)
    return pace


async def test_it_writes_when_so_many_pairs_are_held_and_the_rest_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "FLUSH_PAIRS", 3 * PAIRS)
    deriver = Deriver()
    pace = await run(deriver)
    assert deriver.flushed == [3 * PAIRS, 3 * PAIRS, PAIRS]
    assert pace.done == PORTIONS


async def test_what_ends_the_sums_ends_the_rebuild() -> None:
    with pytest.raises(ArithmeticError, match="the sums"):
        await run(Deriver(fails=True))
