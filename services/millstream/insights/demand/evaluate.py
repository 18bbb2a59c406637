"""`millstream evaluate demand`: forecasts from rolling origins against what was bought then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from millstream.domain.errors import OperatorError
from millstream.insights.demand.combine import CLASSES, Classes
from millstream.insights.demand.forecast import (
    FIRST_FORECAST,
    HORIZON,
    LEAST_SOLD_WEEKS,
    STEP,
    Forecast,
    Forecasts,
)
from millstream.insights.demand.weeks import Units, Weekly, weekly

ORIGINS = 10
NAIVE = ("last_week", "mean_of_4_weeks")
_LEAST_WEEKS = FIRST_FORECAST + (ORIGINS - 1) * STEP + HORIZON
_CLASS_NAMES = ("seldom", "often", "nearly_always")


@dataclass(frozen=True, slots=True)
class Scores:
    """Of one origin. Sums over n items and HORIZON weeks, but for `scaled`, (n,) each item's mean
    absolute error over that of saying last week's units again in the weeks before (MASE)."""

    origin: int
    actual: float
    errors: float
    naive_errors: dict[str, float]
    level: float
    expected: float
    scaled: Units
    inside: NDArray[np.bool_]
    class_of: Classes


def evaluate_demand(lines: pl.DataFrame, told: Callable[[str], None]) -> dict[str, Any]:
    """`lines` as `weekly` takes them. A minute of CPU for some thousand items. Raises
    OperatorError where the lines are of too few weeks or items.

    The items are those that had sold enough before the first origin tested; all figures, also
    those of the naive forecasts, are of the same items and weeks."""
    panel, origins = _panel(weekly(lines))
    told(f"{len(panel.items)} items, {panel.units.shape[1]} whole weeks from {panel.first_monday}")
    forecasts, scored = Forecasts(panel), []
    for origin in origins:
        found = score(panel.units, origin, forecasts.at(origin))
        scored.append(found)
        told(f"after week {origin}: WAPE {found.errors / found.actual:.4f}")
    return summary(panel, scored)


def _panel(every: Weekly) -> tuple[Weekly, Sequence[int]]:
    weeks = every.units.shape[1]
    if weeks < _LEAST_WEEKS:
        raise OperatorError("the purchases", f"{weeks} whole weeks", f"at least {_LEAST_WEEKS}")
    origins = [weeks - HORIZON - STEP * back for back in reversed(range(ORIGINS))]
    sold_weeks = (every.units[:, : origins[0]] > 0).sum(axis=1)
    panel = every.take(np.flatnonzero(sold_weeks >= LEAST_SOLD_WEEKS))
    if not panel.items:
        raise OperatorError(
            "the purchases", "no such item", f"items that sold in {LEAST_SOLD_WEEKS} weeks"
        )
    return panel, origins


def score(units: Units, origin: int, made: Forecast) -> Scores:
    """(n, weeks) `units`, of which `made` tells every row."""
    known, actual = units[:, :origin], units[:, origin : origin + HORIZON]
    errors = np.abs(actual - made.level[:, None])
    naive = (known[:, -1], known[:, -HORIZON:].mean(axis=1))
    steps = np.abs(np.diff(known, axis=1)).mean(axis=1)  # not 0: each item sold, and not always
    return Scores(
        origin,
        float(actual.sum()),
        float(errors.sum()),
        {
            name: float(np.abs(actual - level[:, None]).sum())
            for name, level in zip(NAIVE, naive, strict=True)
        },
        float(made.level.sum()) * HORIZON,
        float(made.expected.sum()) * HORIZON,
        errors.mean(axis=1) / steps,
        (made.low <= actual) & (actual <= made.high),
        made.class_of,
    )


def summary(panel: Weekly, scored: Sequence[Scores]) -> dict[str, Any]:
    actual = sum(each.actual for each in scored)
    naive = {name: sum(each.naive_errors[name] for each in scored) / actual for name in NAIVE}
    better = min(naive, key=lambda name: naive[name])
    wape = sum(each.errors for each in scored) / actual
    inside = np.concatenate([each.inside for each in scored])
    class_of = np.concatenate([each.class_of for each in scored])
    return {
        "wape": round(wape, 4),
        "naive_wape": round(naive[better], 4),
        "below_naive": round(1 - wape / naive[better], 4),
        "naive": better,
        "naive_wapes": {name: round(value, 4) for name, value in naive.items()},
        "mase": round(float(np.mean([each.scaled.mean() for each in scored])), 4),
        "coverage_80": _share(inside),
        "coverage_80_by_class": {
            _CLASS_NAMES[each]: _share(inside[class_of == each])
            for each in range(CLASSES)
            if (class_of == each).any()
        },
        "level_over_actual": round(sum(each.level for each in scored) / actual, 4),
        "expected_over_actual": round(sum(each.expected for each in scored) / actual, 4),
        "series": len(panel.items),
        "weeks": panel.units.shape[1],
        "horizon_weeks": HORIZON,
        "origins": [_origin(each, better) for each in scored],
    }


def _origin(scores: Scores, naive: str) -> dict[str, float]:
    """`after_weeks`: whole weeks that the forecast knew."""
    return {
        "after_weeks": scores.origin,
        "wape": round(scores.errors / scores.actual, 4),
        "naive_wape": round(scores.naive_errors[naive] / scores.actual, 4),
        "coverage_80": _share(scores.inside),
    }


def _share(inside: NDArray[np.bool_]) -> float:
    return round(float(inside.mean()), 4)
