"""A shop whose demand is known: items that sell at a steady rate, by chance and seldom or often."""

from __future__ import annotations

from datetime import date

import numpy as np

from millstream.insights.demand.weeks import Weekly

MONDAY = date(2026, 1, 5)


def made_weekly(items: int, weeks: int, seed: int) -> Weekly:
    """Item i sells in a share of the weeks that rises with i, then some Poisson number of units."""
    chance = np.random.default_rng(seed)
    share = np.linspace(0.3, 1, items)[:, None]
    units = chance.poisson(6, (items, weeks)) * (chance.random((items, weeks)) < share)
    return Weekly(tuple(f"item-{row}" for row in range(items)), units.astype(np.float64), MONDAY)
