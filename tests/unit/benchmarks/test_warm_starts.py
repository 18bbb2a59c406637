"""Turns of a recording: who may know what, and what every version is asked."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import polars as pl
from benchmarks.warm_starts import Turn, compare, turns
from rich.console import Console
from tests.factorised import factorise

from millstream.trainer.encode import Interactions
from millstream.trainer.fitting import Fitted, Watch
from millstream.trainer.settings import TrainerSettings, Training

SETTINGS = TrainerSettings.model_construct(dimensions=16)
NAMES = ("full", "warm", "stale")


def recorded() -> pl.DataFrame:
    """400 events of one item each; 20 shoppers go round 30 items."""
    rows = [
        (f"shopper-{n % 20}", f"event-{n}", "view_item", f"item-{(n * 7) % 30}", 1.0, 1_000 * n)
        for n in range(400)
    ]
    columns = ["user", "event_id", "type", "item", "weight", "time_ms"]
    return pl.DataFrame(rows, columns, orient="row")


def cut(versions: int) -> list[Turn]:
    return turns(recorded(), versions, SETTINGS)


def test_each_turn_knows_what_the_one_before_was_asked() -> None:
    found = cut(4)
    assert [turn.known.height for turn in found] == [200, 240, 280, 320, 360]
    for one, following in pairwise(found):
        assert following.seen_until_ms == one.known["time_ms"][-1]
        assert len(one.asked) == following.known.height - one.known.height
        assert min(query.at_ms for query in one.asked) > following.seen_until_ms


def test_versions_that_go_on_stand_beside_those_that_learn_anew() -> None:
    begun: list[tuple[bool, int]] = []

    def fit(data: Interactions, rule: Training, watch: Watch, _: Path | None) -> Fitted:
        begun.append((data.start is not None, rule.epochs))
        return factorise(data, rule, watch, None)

    rows = compare(cut(2), SETTINGS, fit, Console(file=io.StringIO()))
    anew, on = (False, SETTINGS.epochs), (True, SETTINGS.warm_epochs)
    assert begun == [anew, anew, on, anew, on]
    assert [(row["version"], row["lines"]) for row in rows] == [(1, 266), (2, 333)]
    assert all(0 < row[name]["recall_at_20"] <= 1 for row in rows for name in NAMES)
    assert rows[0]["stale"]["cpu_seconds"] == rows[1]["stale"]["cpu_seconds"]
