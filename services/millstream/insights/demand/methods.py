"""What each method says of an item's next weeks.

All say one level for every week to come: a year of sales shows no season, and what rose is not
known to go on rising."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl
from statsforecast import StatsForecast
from statsforecast.models import (
    IMAPA,
    TSB,
    CrostonSBA,
    SimpleExponentialSmoothing,
    SimpleExponentialSmoothingOptimized,
)

from millstream.insights.demand.weeks import Units

_SMOOTHED = {
    "ses": SimpleExponentialSmoothingOptimized(alias="ses"),
    "ses-slow": SimpleExponentialSmoothing(0.1, alias="ses-slow"),
    "tsb": TSB(0.2, 0.2, alias="tsb"),
    "imapa": IMAPA(alias="imapa"),
    "croston-sba": CrostonSBA(alias="croston-sba"),
}
_MEDIANS = {"median-4": 4, "median-8": 8, "median-13": 13}
_Scale = tuple[Callable[[Units], Units], Callable[[Units], Units]]
_SCALES: Mapping[str, _Scale] = {
    "": (np.asarray, np.asarray),
    # Fitted to logarithms a method tells the middle rather than the mean.
    "log ": (np.log1p, np.expm1),
}
_FITTED = {
    "": ("croston-sba", "imapa", "tsb"),
    "log ": ("imapa", "ses", "ses-slow", "tsb"),
}
METHODS = (*(scale + name for scale, names in _FITTED.items() for name in names), *_MEDIANS, "none")


def levels(units: Units) -> Units:
    """(n, METHODS) units a week, at least 0, from (n, weeks), of which every row has sales."""
    if not len(units):  # of which the library makes an error
        return np.zeros((0, len(METHODS)))
    found = [_fitted(units, scale, names) for scale, names in _FITTED.items()]
    medians = [np.median(units[:, -weeks:], axis=1) for weeks in _MEDIANS.values()]
    return np.hstack([*found, np.stack([*medians, np.zeros(len(units))], axis=1)]).clip(0)


def _fitted(units: Units, scale: str, names: Sequence[str]) -> Units:
    """(n, names)."""
    into, back = _SCALES[scale]
    count, weeks = units.shape
    rows = pl.DataFrame(
        {
            "unique_id": np.repeat(np.arange(count), weeks),
            "ds": np.tile(np.arange(weeks), count),
            "y": into(units).ravel(),
        }
    )
    models = [_SMOOTHED[name] for name in names]
    told = StatsForecast(models=models, freq=1, n_jobs=1).forecast(df=rows, h=1)
    return back(told.sort("unique_id").select(names).to_numpy().astype(np.float64))
