"""What says nothing is left out, and every line left out is counted once."""

from __future__ import annotations

import polars as pl
import pytest

from millstream.domain.events import EventType
from millstream.trainer.clean import clean, merge_pairs
from millstream.trainer.settings import Cleaning


def lake_lines(*rows: tuple[str, str, str, int]) -> pl.DataFrame:
    """user, type, item, time; each line an event of its own."""
    frame = pl.DataFrame(rows, ["user", "type", "item", "time_ms"], orient="row")
    return frame.with_columns(
        event_id=pl.int_range(pl.len()).cast(pl.String),
        price=pl.lit(None, dtype=pl.Float64),
        log_ms=pl.col("time_ms"),
    )


def test_each_reason_is_counted_once() -> None:
    lines = lake_lines(
        ("ann", "purchase", "tea", 1),
        ("ann", "view_item", "tea", 2),
        ("ann", "refund", "tea", 3),
        ("ann", "view_item_list", "tea", 4),
        ("ann", "purchase", "secret", 5),
        ("ann", "purchase", "seldom", 6),
        ("bob", "purchase", "tea", 7),
    )
    found = clean(lines, {"secret"}, Cleaning(min_user_lines=2, min_item_lines=2))
    assert found.removed == {"type": 2, "hidden_item": 1, "rare_item": 1, "rare_user": 1}
    assert found.lines.select("item", "weight").rows() == [("tea", 10.0), ("tea", 1.0)]
    assert found.lines.height + sum(found.removed.values()) == lines.height


def test_what_a_line_weighs_is_the_deployments() -> None:
    lines = lake_lines(("a", "purchase", "x", 1), ("a", "view_item", "x", 2))
    found = clean(lines, (), Cleaning(1, 1, {EventType.PURCHASE: 2.5}))
    assert found.lines.select("type", "weight").rows() == [("purchase", 2.5)]
    assert found.removed["type"] == 1


def test_lines_come_out_in_event_time_order() -> None:
    lines = lake_lines(
        ("a", "purchase", "x", 3), ("a", "purchase", "y", 1), ("b", "view_item", "x", 2)
    )
    assert clean(lines, (), Cleaning(1, 1)).lines["time_ms"].to_list() == [1, 2, 3]


def test_nothing_in_nothing_out() -> None:
    found = clean(lake_lines(("a", "refund", "x", 1)), (), Cleaning(1, 1))
    assert found.lines.is_empty()
    assert found.removed["type"] == 1


def test_repeats_become_one_pair_whose_weight_says_how_much() -> None:
    lines = lake_lines(
        ("ann", "view_item", "tea", 1),
        ("ann", "add_to_cart", "tea", 2),
        ("bob", "view_item", "tea", 3),
        ("ann", "purchase", "tea", 4),
    )
    pairs = merge_pairs(clean(lines, (), Cleaning(1, 1)).lines)
    assert pairs.select("user", "item", "last").rows() == [("ann", "tea", 3), ("bob", "tea", 2)]
    assert pairs["weight"].to_list() == pytest.approx([15.0, 1.0])
