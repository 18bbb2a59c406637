"""A world with a known answer, and a trainer's surroundings without servers or TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from millstream.trainer.encode import Interactions
from millstream.trainer.fitting import Fit, Fitted, Watch
from millstream.trainer.settings import Training

DAY_MS = 86_400_000
START = 1_767_268_800_000


@pytest.fixture
def two_tastes() -> pl.DataFrame:
    """40 shoppers on 30 days: even ones buy tea, odd ones buy tools, two things a visit, and the
    twenty things of a taste are bought alike. Columns as the lake gives them."""
    rng = np.random.default_rng(5)
    rows = []
    for day in range(30):
        for shopper in range(40):
            taste = ("tea", "tool")[shopper % 2]
            moment = START + day * DAY_MS + shopper * 60_000
            rows += [
                (f"s{shopper}", f"d{day}-s{shopper}", "purchase", f"{taste}-{thing}", moment)
                for thing in rng.choice(20, size=2, replace=False)
            ]
    frame = pl.DataFrame(rows, ["user", "event_id", "type", "item", "time_ms"], orient="row")
    price = pl.lit(None, dtype=pl.Float64)
    country = pl.when(pl.col("user") == "s0").then(pl.lit("GB"))
    return frame.with_columns(price=price, log_ms=pl.col("time_ms") + 5, country=country)


@pytest.fixture(scope="session")
def factorise() -> Fit:
    """A Fit by truncated singular value decomposition: exact, and without TensorFlow."""

    def fit(data: Interactions, rule: Training, watch: Watch, log_dir: Path | None) -> Fitted:
        table = np.zeros((len(data.users), len(data.items)))
        table[data.user_rows, data.item_rows] = data.weights
        left, values, right = np.linalg.svd(table, full_matrices=False)
        size = min(rule.dimensions, len(values))
        scale = np.sqrt(values[:size])
        return Fitted(
            (left[:, :size] * scale).astype(np.float32),
            (right[:size].T * scale).astype(np.float32),
            1.0,
            0.0,
            (0.0,),
        )

    return fit
