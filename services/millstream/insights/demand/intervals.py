"""How far from a forecast the weeks turn out to be.

Split conformal prediction over time: errors of earlier forecasts, each divided by its item's
scale, pooled over the items of a class, by how many weeks ahead. Their quantiles hold for the next
weeks as far as the errors stay as they were; evaluate.py counts how often they did."""

from __future__ import annotations

import numpy as np

from millstream.insights.demand.combine import CLASSES, Classes
from millstream.insights.demand.weeks import Units

COVERAGE = 0.8
_SCALE_WEEKS = 8


def scales(units: Units) -> Units:
    """(n,) the mean of the last 8 weeks and one unit, so that none is 0."""
    return np.asarray(units[:, -_SCALE_WEEKS:].mean(axis=1) + 1)


def error_quantiles(errors: Units, class_of: Classes) -> Units:
    """(2, CLASSES, weeks) low and high, of (k, weeks) errors over their scales. A class that no
    row has gets the quantiles of all rows."""
    tails = ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2)
    found = np.repeat(np.quantile(errors, tails, axis=0)[:, None], CLASSES, axis=1)
    for each in np.unique(class_of):
        found[:, each] = np.quantile(errors[class_of == each], tails, axis=0)
    return found
