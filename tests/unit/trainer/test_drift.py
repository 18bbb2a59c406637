"""Drift is near nothing while a shop goes on as before, and large where it does not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.model.embeddings import Embeddings, ServingRule
from millstream.model.scorer import Scorer
from millstream.model.vocabulary import Vocabulary
from millstream.trainer.drift import drift, psi

CALM, MUCH = 0.1, 0.25

counts = st.lists(st.integers(0, 500), min_size=3, max_size=3).map(np.array)


@given(counts, counts)
def test_the_index_is_never_negative_and_the_same_from_both_sides(
    old: np.ndarray[tuple[int], np.dtype[np.int64]], new: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> None:
    assert psi(old, new) >= 0
    assert psi(old, new) == pytest.approx(psi(new, old))
    assert psi(old, old) == pytest.approx(0)


def test_the_index_by_hand() -> None:
    old, new = np.array([49.5, 49.5]), np.array([24.5, 74.5])  # half a count is added to each
    by_hand = (0.25 - 0.5) * np.log(0.5) + (0.75 - 0.5) * np.log(1.5)
    assert psi(old, new) == pytest.approx(by_hand)


def shop(lines: int, seed: int = 1) -> pl.DataFrame:
    """600 shoppers and 300 items of falling frequency, a line a minute."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "user": [f"s{n}" for n in rng.integers(600, size=lines)],
            "type": rng.choice(["view_item", "purchase"], p=[0.8, 0.2], size=lines).tolist(),
            "item": [f"i{n}" for n in (300 * rng.random(lines) ** 2).astype(int)],
            "time_ms": np.arange(lines) * 60_000,
        }
    ).with_columns(log_ms=pl.col("time_ms") + 5)


def model() -> Scorer:
    rng = np.random.default_rng(2)

    def array(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return rng.normal(size=shape).astype(np.float32)

    names = Vocabulary([f"s{n}" for n in range(600)]), Vocabulary([f"i{n}" for n in range(300)])
    rule = ServingRule(24, 10.0, 0.5)
    return Scorer(Embeddings(*names, array(600, 8), array(300, 8), array(9, 8), 1.0, 0.0, rule))


def drifted(frame: pl.DataFrame, *changes: pl.Expr) -> dict[str, float]:
    """With the last quarter changed, which the version in service has not seen."""
    border = int(frame["log_ms"][frame.height * 3 // 4])
    later = pl.col("log_ms") > border
    changed = frame.with_columns(
        pl.when(later).then(change).otherwise(pl.col(change.meta.output_name()))
        for change in changes
    )
    return drift(changed, border, model(), 24)


def test_a_shop_that_goes_on_as_before_does_not_drift() -> None:
    found = drifted(shop(12_000))
    assert set(found) == {"type", "item", "shopper", "score"}
    assert max(found.values()) < CALM


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("type", pl.lit("add_to_wishlist").alias("type")),
        ("item", ("new-" + pl.col("item")).alias("item")),
        ("item", pl.lit("i299").alias("item")),
        ("shopper", ("new-" + pl.col("user")).alias("user")),
        ("score", pl.lit("i0").alias("item")),
    ],
)
def test_what_changes_is_found(what: str, change: pl.Expr) -> None:
    found = drifted(shop(12_000), change)
    assert found[what] > MUCH
    assert found["item" if what == "type" else "type"] < CALM


def test_few_lines_say_nothing() -> None:
    frame = shop(1000)
    assert drift(frame, int(frame["log_ms"][950]), None, 24) == {}
    assert drift(frame, int(frame["log_ms"][-1]), None, 24) == {}
    assert "score" not in drift(frame, int(frame["log_ms"][700]), None, 24)
