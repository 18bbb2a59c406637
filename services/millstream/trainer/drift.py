"""How far the newest lines have gone from those that the version in service was trained on.

Population stability index: sum over groups of (new - old) * ln(new / old). By custom below 0.1
nothing moved and above 0.25 much did (Siddiqi 2006). Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from millstream.domain.events import EventType
from millstream.features.recent_items import Touch
from millstream.model.scorer import Scorer

_GROUPS = 10
_BASE_SHARE = 0.8
_SHOPPERS = 1000
_LEAST_LINES = 100
_LEAST_SHOPPERS = 200
"""Ten groups of fewer differ by 0.1 and more by chance: 9 * (1 / old + 1 / new) in the mean."""
_NEWCOMER = -1
_STRANGER = ""
"""No shopper's id."""

Counts = NDArray[np.int64]


def psi(old: Counts, new: Counts) -> float:
    """`old`, `new`: (groups,) counts. Half a count is added to each, so that an empty group does
    not make it infinite."""
    first, second = ((counts + 0.5) / (counts + 0.5).sum() for counts in (old, new))
    return float(((second - first) * np.log(second / first)).sum())


def drift(
    lines: pl.DataFrame, trained_to_ms: int, scorer: Scorer | None, recent_items: int
) -> dict[str, float]:
    """PSI by what was looked at: `type`, `item` (how popular it was, or new), `shopper`
    (how active, or new) and, with a `scorer` and 200 shoppers, `score` (its best score for each).

    `lines`: (n, >= 7) in log-time order. Groups are made on the older four fifths of what was
    trained on, and the newest lines of the rest are compared with as many of the lines after it:
    both may hold newcomers, and shoppers have had as much to do. Nothing is said where there are
    fewer than 100 of any."""
    seen = pl.col("log_ms") <= trained_to_ms
    trained, new = lines.filter(seen), lines.filter(~seen)
    cut = round(trained.height * _BASE_SHARE)
    size = min(trained.height - cut, new.height)
    if min(cut, size) < _LEAST_LINES:
        return {}
    base, old, new = trained[:cut], trained[-size:], new[-size:]
    found = {
        "type": _of_groups(_type_groups(base), old, new),
        "item": _of_groups(_activity_groups(base, "item"), old, new),
        "shopper": _of_groups(_activity_groups(base, "user"), old, new),
    }
    if scorer is not None:
        before, after = (_best_scores(part, scorer, recent_items) for part in (old, new))
        if min(len(before), len(after)) >= _LEAST_SHOPPERS:
            found["score"] = _of_scores(before, after)
    return found


Grouping = Callable[[pl.DataFrame], Counts]


def _of_groups(group: Grouping, old: pl.DataFrame, new: pl.DataFrame) -> float:
    first, second = group(old), group(new)
    labels = np.union1d(first, second)
    counts = [np.array([(part == label).sum() for label in labels]) for part in (first, second)]
    return psi(counts[0], counts[1])


def _type_groups(base: pl.DataFrame) -> Grouping:
    order = {name: place for place, name in enumerate(sorted(set(base["type"])))}
    return lambda part: np.array([order.get(name, _NEWCOMER) for name in part["type"]])


def _activity_groups(base: pl.DataFrame, column: str) -> Grouping:
    """Ten groups with as many lines each, the busiest items or shoppers first."""
    counts = base.group_by(column).len("lines").sort(["lines", column], descending=True)
    ahead = counts["lines"].cum_sum() - counts["lines"]
    places = (ahead * _GROUPS // base.height).to_list()
    group = dict(zip(counts[column], places, strict=True))
    return lambda part: np.array([group.get(name, _NEWCOMER) for name in part[column]])


def _best_scores(part: pl.DataFrame, scorer: Scorer, recent_items: int) -> NDArray[np.float32]:
    """(shoppers,) of those last seen in `part` who touched what the model knows. By these items
    alone: a shopper's own vector has learnt from the old lines, and would set them apart."""
    newest = part.reverse().unique(["user", "item"], keep="first", maintain_order=True)
    grouped = newest.group_by("user", maintain_order=True)
    shoppers = grouped.agg(pl.struct("item", "type", "time_ms").head(recent_items).alias("recent"))
    touched = [
        (_STRANGER, [Touch(t["item"], EventType(t["type"]), t["time_ms"]) for t in recent])
        for recent in shoppers["recent"].head(_SHOPPERS).to_list()
    ]
    vectors, known = scorer.user_vectors(touched)
    _, logits = scorer.nearest(vectors[known], 1)
    return logits[:, 0]


def _of_scores(old: NDArray[np.float32], new: NDArray[np.float32]) -> float:
    """By the old scores' deciles."""
    edges = np.unique(np.quantile(old, np.arange(1, _GROUPS) / _GROUPS))
    first, second = (
        np.bincount(np.searchsorted(edges, scores, side="right"), minlength=len(edges) + 1)
        for scores in (old, new)
    )
    return psi(first, second)
