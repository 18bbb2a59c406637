"""Lines as the lake gives them become a signed version, with what it cost beside it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from benchmarks.first_version import version_of
from tests.factorised import factorise

from millstream.trainer.settings import TrainerSettings


def recorded() -> pl.DataFrame:
    """1,600 purchases: even shoppers go round one half of forty things, odd ones the other."""
    rows = [
        (f"s{n % 20}", f"e{n}", "purchase", f"i{n % 2}-{(n * 7 + n // 20) % 20}", 3_600_000 * n)
        for n in range(1_600)
    ]
    frame = pl.DataFrame(rows, ["user", "event_id", "type", "item", "time_ms"], orient="row")
    return frame.with_columns(log_ms=pl.col("time_ms"), country=pl.lit(None, dtype=pl.String))


def test_lines_become_a_version_that_stands_in_the_store(tmp_path: Path) -> None:
    settings = TrainerSettings.model_construct(dimensions=16)

    told = version_of(recorded(), {"i0-3"}, settings, factorise, tmp_path)

    assert told["lines"] == 1_600
    assert told["chosen"] == "dot-product"
    assert told["model_recall_at_20"] > 0.9 > told["popularity_recall_at_20"]
    assert [group["name"] for group in told["fairness"]["shoppers"]]
    assert list(tmp_path.rglob("manifest.json"))
