"""Stage 2: what says nothing, or too little, is left out; everything left out is counted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from millstream.trainer.settings import Cleaning


@dataclass(frozen=True, slots=True)
class Cleaned:
    lines: pl.DataFrame
    """(m, 6): user, event_id, type, item, weight (f32), time_ms; in event-time order."""
    removed: dict[str, int]
    """Lines by why they were left out."""


def clean(lines: pl.DataFrame, hidden: Collection[str], rule: Cleaning) -> Cleaned:
    """Drops lines whose type has no weight, lines of `hidden` items, then those of items and of
    users with too few lines. Repeats are kept: how often somebody buys a thing counts."""
    weights = {str(kind): weight for kind, weight in rule.event_weights.items()}
    frame = lines.select("user", "event_id", "type", "item", "time_ms")
    steps: list[tuple[str, pl.Expr]] = [
        ("type", pl.col("type").is_in(list(weights))),
        ("hidden_item", ~pl.col("item").is_in(list(hidden))),
        ("rare_item", pl.len().over("item") >= rule.min_item_lines),
        ("rare_user", pl.len().over("user") >= rule.min_user_lines),
    ]
    removed = {}
    for name, keep in steps:
        kept = frame.filter(keep)
        removed[name] = frame.height - kept.height
        frame = kept
    weight = pl.col("type").replace_strict(weights, return_dtype=pl.Float32).alias("weight")
    ordered = frame.with_columns(weight).sort("time_ms", maintain_order=True)
    return Cleaned(ordered.select("user", "event_id", "type", "item", "weight", "time_ms"), removed)


def merge_pairs(lines: pl.DataFrame) -> pl.DataFrame:
    """(pairs, 4): user, item, weight summed over the lines, last (place of the newest line);
    sorted by user and item, so that the same lines always give the same rows."""
    return (
        lines.with_row_index("last")
        .group_by("user", "item")
        .agg(pl.col("weight").sum(), pl.col("last").max())
        .sort("user", "item")
    )
