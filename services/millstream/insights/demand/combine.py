"""Which methods to mix for which items, chosen on forecasts whose weeks are over.

Forward selection with replacement (Caruana et al., Ensemble selection from libraries of models,
ICML 2004): the weights are multiples of 1 / STEPS, most of them 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from millstream.insights.demand.weeks import Units

STEPS = 12
_RECENT_WEEKS = 13
_CLASS_BOUNDS = (0.5, 0.9)
CLASSES = len(_CLASS_BOUNDS) + 1

Classes = NDArray[np.int64]


def classes(units: Units) -> Classes:
    """(n,) of (n, weeks): by the share of the last 13 weeks in which the item was bought:
    0 seldom, 1 often, 2 nearly always."""
    sold = (units[:, -_RECENT_WEEKS:] > 0).mean(axis=1)
    return np.asarray(np.digitize(sold, _CLASS_BOUNDS))


def choose(levels: Units, actual: Units) -> Units:
    """(methods,) weights of sum 1 that make the sum of absolute errors small, from (k, methods)
    and (k, weeks). The first of equals wins, so the same data give the same weights."""
    picked = np.zeros(levels.shape[1])
    mixed = np.zeros(len(levels))
    for step in range(1, STEPS + 1):
        errors = [np.abs(actual - ((mixed + level) / step)[:, None]).sum() for level in levels.T]
        best = int(np.argmin(errors))
        picked[best] += 1
        mixed += levels[:, best]
    return picked / STEPS


def choose_by_class(levels: Units, actual: Units, class_of: Classes) -> Units:
    """(CLASSES, methods). A class that no row has gets what is best for all rows."""
    everyone = choose(levels, actual)
    weights = np.tile(everyone, (CLASSES, 1))
    for each in np.unique(class_of):
        weights[each] = choose(levels[class_of == each], actual[class_of == each])
    return weights
