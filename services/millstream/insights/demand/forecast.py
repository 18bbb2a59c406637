"""START HERE: weekly sums to forecasts of the next four weeks, by what earlier forecasts came to.

An origin is a number of weeks: a forecast from origin t knows weeks [0, t) and tells [t, t + 4).
From t one looks back at the origins whose four weeks were over by then: t - 4, t - 6 and so on.

1. Each method's level at those origins and at t (methods.py), of items that had sold enough.
2. The mix of methods, by how often an item sells (combine.py), chosen at the earlier origins.
3. The interval, from the errors that the mixes of the earlier origins made (intervals.py); each
   of those was chosen before its own origin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.insights.demand.combine import CLASSES, Classes, choose_by_class, classes
from millstream.insights.demand.intervals import error_quantiles, scales
from millstream.insights.demand.methods import levels
from millstream.insights.demand.weeks import Units, Weekly

HORIZON = 4
STEP = 2
LOOKED_BACK = 6
"""Earlier origins that a mix or an interval is made from."""
LEAST_SOLD_WEEKS = 8
_FIRST_ORIGIN = 13
FIRST_FORECAST = _FIRST_ORIGIN + 2 * HORIZON
"""Before this origin no earlier one has a mix whose errors are known."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of k items, by their (k,) rows: all in units a week.

    `level`: (k,) the middle, which errs least in absolute units; the same for each week.
    `expected`: (k,) the mean, for sums over weeks: what a stock must last for.
    `low`, `high`: (k, HORIZON) the 80 % interval of each week."""

    rows: NDArray[np.int64]
    class_of: Classes
    level: Units
    expected: Units
    low: Units
    high: Units


_NONE = Forecast(
    np.zeros(0, np.int64),
    np.zeros(0, np.int64),
    np.zeros(0),
    np.zeros(0),
    np.zeros((0, HORIZON)),
    np.zeros((0, HORIZON)),
)


class _Seen(NamedTuple):
    rows: NDArray[np.int64]
    class_of: Classes
    levels: Units
    scales: Units


class Forecasts:
    """Of one table of weekly sums, from any of its origins; what two origins share is made once."""

    def __init__(self, weekly: Weekly) -> None:
        self._units = weekly.units
        self._seen = cache(self._see)
        self._weights = cache(self._choose)

    def at(self, origin: int) -> Forecast:
        """Seconds of CPU for thousands of items. `origin` is FIRST_FORECAST at least. Of no item
        where none had sold enough at the origins before the earlier ones: what a mix made of
        nothing would miss is not known."""
        earlier = [
            each
            for each in self._earlier(origin, _FIRST_ORIGIN + HORIZON)
            if self._seen(each - HORIZON).rows.size
        ]
        if not earlier:
            return _NONE
        seen, level = self._seen(origin), self._level(origin, origin)
        class_of = np.concatenate([self._seen(each).class_of for each in earlier])
        actual = np.concatenate([self._actual(each) for each in earlier])
        told = np.concatenate([self._level(each, each) for each in earlier])
        scale = np.concatenate([self._seen(each).scales for each in earlier])
        quantiles = error_quantiles((actual - told[:, None]) / scale[:, None], class_of)
        low, high = (
            (level[:, None] + seen.scales[:, None] * quantile[seen.class_of]).clip(0)
            for quantile in quantiles
        )
        # Each mix misses the mean by its own share, so it is this one's that is looked at.
        told = np.concatenate([self._level(each, origin) for each in earlier])
        gaps = _gaps(actual.mean(axis=1) - told, scale, class_of)
        expected = (level + seen.scales * gaps[seen.class_of]).clip(0)
        return Forecast(seen.rows, seen.class_of, level, expected, low, high)

    def _see(self, origin: int) -> _Seen:
        known = self._units[:, :origin]
        rows = np.flatnonzero((known > 0).sum(axis=1) >= LEAST_SOLD_WEEKS)
        units = known[rows]
        return _Seen(rows, classes(units), levels(units), scales(units))

    def _choose(self, origin: int) -> Units:
        """(CLASSES, methods) the weights that are used from `origin`."""
        earlier = self._earlier(origin, _FIRST_ORIGIN)
        return choose_by_class(
            np.concatenate([self._seen(each).levels for each in earlier]),
            np.concatenate([self._actual(each) for each in earlier]),
            np.concatenate([self._seen(each).class_of for each in earlier]),
        )

    def _level(self, origin: int, mixed_at: int) -> Units:
        """(k,) of the rows seen at `origin`, by the weights of `mixed_at`."""
        seen = self._seen(origin)
        return np.asarray((seen.levels * self._weights(mixed_at)[seen.class_of]).sum(axis=1))

    def _actual(self, origin: int) -> Units:
        return self._units[self._seen(origin).rows, origin : origin + HORIZON]

    def _earlier(self, origin: int, first: int) -> list[int]:
        return list(range(origin - HORIZON, first - 1, -STEP))[:LOOKED_BACK]


def _gaps(missed: Units, scale: Units, class_of: Classes) -> Units:
    """(CLASSES,) what is missed over the scales, of (k,) each: a ratio of sums, as a mean of ratios
    would be ruled by the items that sell least. That of all rows for a class that no row has."""
    found = np.full(CLASSES, missed.sum() / scale.sum())
    for each in np.unique(class_of):
        found[each] = missed[class_of == each].sum() / scale[class_of == each].sum()
    return found
