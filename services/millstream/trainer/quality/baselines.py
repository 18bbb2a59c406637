"""What any model has to beat: popular items for everyone, and what others touched together."""

from __future__ import annotations

import numpy as np
import polars as pl

from millstream.model.embeddings import FloatArray
from millstream.model.vocabulary import Vocabulary
from millstream.trainer.encode import Interactions
from millstream.trainer.split import Query

_MAX_TOGETHER = 50
"""Lines of one visit that are paired; the pairs grow with its square."""
_MAX_NEIGHBOURS = 200


class Popularity:
    """Items by the weight of their lines in the train part."""

    def __init__(self, data: Interactions) -> None:
        self._scores = data.item_weights()

    def scores(self, _query: Query) -> FloatArray:
        return self._scores


class Covisitation:
    """Items by how often they stood in one event, or in events one after the other of one visit,
    with the items touched last: count(a, b) / sqrt(count(a) * count(b)), newest items heaviest.

    A shopper without recent items gets the popular ones."""

    def __init__(self, lines: pl.DataFrame, data: Interactions, visit_gap_ms: int) -> None:
        self._items = data.items
        self._popular = data.item_weights()
        self._neighbours = _neighbours(lines, data.items, visit_gap_ms)

    def scores(self, query: Query) -> FloatArray:
        rows = self._items.known_rows(query.recent_items)
        if not rows:
            return self._popular
        scores = np.zeros(len(self._items), dtype=np.float32)
        for place, row in enumerate(rows):
            near, weights = self._neighbours.get(row, ((), ()))
            scores[np.asarray(near, dtype=np.int64)] += np.float32(0.5 ** (place / 10)) * np.array(
                weights, dtype=np.float32
            )
        return scores


def _neighbours(
    lines: pl.DataFrame, items: Vocabulary, visit_gap_ms: int
) -> dict[int, tuple[list[int], list[float]]]:
    """Row -> (rows, weights) of the heaviest _MAX_NEIGHBOURS, the item itself not among them."""
    pause = pl.col("time_ms").diff().over("user").fill_null(0) > visit_gap_ms
    visits = (
        lines.with_columns(
            pause.cast(pl.Int32).cum_sum().over("user").alias("visit"),
            pl.Series("row", items.rows(lines["item"])),
        )
        .unique(["user", "visit", "row"], maintain_order=True)
        .filter(pl.int_range(pl.len()).over("user", "visit") < _MAX_TOGETHER)
        .select("user", "visit", "row")
    )
    counts = np.bincount(visits["row"], minlength=len(items)).astype(np.float64)
    pairs = (
        visits.join(visits, on=["user", "visit"], suffix="_near")
        .filter(pl.col("row") != pl.col("row_near"))
        .group_by("row", "row_near")
        .len("together")
    )
    norm = np.sqrt(counts[pairs["row"].to_numpy()] * counts[pairs["row_near"].to_numpy()])
    heaviest = (
        pairs.with_columns(pl.Series("weight", pairs["together"].to_numpy() / norm))
        .sort(["row", "weight", "row_near"], descending=[False, True, False])
        .group_by("row", maintain_order=True)
        .agg(pl.col("row_near", "weight").head(_MAX_NEIGHBOURS))
    )
    return {row: (near, weights) for row, near, weights in heaviest.rows()}
