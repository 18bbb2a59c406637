"""Rows, weights and recent items of what is trained on."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from millstream.model.sessions.told import KIND, UNTOLD
from millstream.trainer.batches import draw_epoch
from millstream.trainer.encode import encode
from millstream.trainer.settings import TrainerSettings


@pytest.fixture
def lines() -> pl.DataFrame:
    rows = [
        ("bob", "tea", 1.0, 1),
        ("ann", "cup", 10.0, 2),
        ("ann", "tea", 1.0, 3),
        ("ann", "pot", 1.0, 4),
        ("ann", "cup", 4.0, 5),
    ]
    frame = pl.DataFrame(rows, ["user", "item", "weight", "time_ms"], orient="row")
    return frame.with_columns(pl.col("weight").cast(pl.Float32))


def test_pairs_rows_and_recent_items(lines: pl.DataFrame) -> None:
    data = encode(lines, recent_items=2)
    assert (data.users.ids, data.items.ids) == (("ann", "bob"), ("cup", "pot", "tea"))
    pairs = zip(data.user_rows.tolist(), data.item_rows.tolist(), data.weights, strict=True)
    assert set(pairs) == {(0, 0, 14.0), (0, 1, 1.0), (0, 2, 1.0), (1, 2, 1.0)}
    assert data.recent == [[0, 1], [2]]  # ann: cup, pot; tea is beyond the bound
    np.testing.assert_allclose(data.item_weights(), [14.0, 1.0, 2.0])


def test_all_that_was_touched_stands_in_order_of_time(lines: pl.DataFrame) -> None:
    log = encode(lines, recent_items=2).touched
    sessions = [log.items[a:b].tolist() for a, b in itertools.pairwise(log.starts.tolist())]
    assert sessions == [[0, 2, 1, 0], [2]]  # ann: cup, tea, pot, cup; bob: tea


def test_what_was_touched_is_told_with_its_kind_and_second(lines: pl.DataFrame) -> None:
    kinds = ["view_item", "add_to_cart", "no such type", "view_item", "purchase"]
    told = encode(
        lines.with_columns(pl.Series("type", kinds), pl.col("time_ms") * 1_999), 2
    ).touched.told
    assert told is not None
    look, cart, bought = (KIND[kind] for kind in ("view_item", "add_to_cart", "purchase"))
    assert told.kinds.tolist() == [cart, UNTOLD, look, bought, look]
    assert told.seconds.tolist() == [3, 5, 7, 9, 1]


def test_lines_without_a_type_tell_of_items_alone(lines: pl.DataFrame) -> None:
    assert encode(lines, 2).touched.told is None


def test_nothing_to_train_on_is_said(lines: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match="no lines"):
        encode(lines[:0], 24)


@pytest.mark.parametrize("power", [0.0, 0.75])
def test_an_epoch_holds_every_pair_and_its_negatives(lines: pl.DataFrame, power: float) -> None:
    data = encode(lines, 24)
    rule = TrainerSettings(negatives=3, batch_size=8, negative_power=power).training()
    epoch = draw_epoch(data, rule, np.random.default_rng(1))
    assert {rows.shape for rows in epoch} == {(2, 8)}
    likes = epoch.labels == 1
    drawn_pairs = set(zip(epoch.users[likes].tolist(), epoch.items[likes].tolist(), strict=True))
    assert drawn_pairs == set(zip(data.user_rows.tolist(), data.item_rows.tolist(), strict=True))
    assert likes.sum() == 4
    assert epoch.weights[likes].mean() == pytest.approx(1.0)
    assert (epoch.weights[~likes] == 1).all()
    assert epoch.items.max() < len(data.items)


def test_the_power_decides_how_often_popular_items_are_drawn(lines: pl.DataFrame) -> None:
    data = encode(lines, 24)

    def share(power: float) -> float:
        rule = TrainerSettings(negatives=1000, batch_size=1, negative_power=power).training()
        epoch = draw_epoch(data, rule, np.random.default_rng(1))
        return float((epoch.items[epoch.labels == 0] == 0).mean())

    assert share(0.0) == pytest.approx(1 / 3, abs=0.03)
    assert share(1.0) == pytest.approx(14 / 17, abs=0.03)


def test_rows_beyond_the_last_whole_batch_are_left_out(lines: pl.DataFrame) -> None:
    rule = TrainerSettings(negatives=1, batch_size=3).training()
    assert draw_epoch(encode(lines, 24), rule, np.random.default_rng(1)).users.shape == (2, 3)


def test_few_rows_are_many_small_batches(lines: pl.DataFrame) -> None:
    rule = TrainerSettings(negatives=999, batch_size=2048).training()  # 4000 rows
    assert draw_epoch(encode(lines, 24), rule, np.random.default_rng(1)).users.shape == (100, 40)


def test_fewer_rows_than_a_batch_are_one_batch(lines: pl.DataFrame) -> None:
    rule = TrainerSettings(negatives=1, batch_size=4096).training()
    assert draw_epoch(encode(lines, 24), rule, np.random.default_rng(1)).users.shape == (1, 8)
