"""Sums over (shopper, item) pairs of a batch, and the strongest pairs of each shopper."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.features.ragged import places_within
from millstream.ranking.items import Codes

Numbers = NDArray[np.float64]


class Sums(NamedTuple):
    """`shoppers`, `items`, `totals`, `first` (p,): the distinct pairs, ordered by shopper, what
    they add up to, and where each stands first in the input; `which` (m,): the pair that each
    input belongs to."""

    shoppers: Codes
    items: Codes
    totals: Numbers
    first: Codes
    which: Codes


def sum_by_pair(shoppers: Codes, items: Codes, weights: Numbers, items_in_all: int) -> Sums:
    """Weights of one pair are added in the order in which they stand."""
    pairs, which = np.unique(shoppers * items_in_all + items, return_inverse=True)
    totals: Numbers = np.bincount(which, weights, minlength=len(pairs)).astype(np.float64)
    first = np.empty(len(pairs), dtype=np.int64)
    # Of several that write to one place the last stays: backwards, the first does.
    first[which[::-1]] = np.arange(len(which))[::-1]
    return Sums(pairs // items_in_all, pairs % items_in_all, totals, first, which)


def strongest(sums: Sums, lines: int, k: int) -> Codes:
    """The places of the k greatest totals of each shopper, in any order; of equal ones at the
    border those that stand first in the input. `lines`: shoppers in all."""
    totals = as_lines(sums.shoppers, sums.totals, lines, -np.inf)
    if totals.shape[1] <= k:
        return np.arange(len(sums.totals))
    border = -np.partition(-totals, k - 1, axis=1)[:, k - 1]
    room = k - (totals > border[:, None]).sum(axis=1)
    above = np.flatnonzero(sums.totals > border[sums.shoppers])
    equal = np.flatnonzero(sums.totals == border[sums.shoppers])
    equal = equal[np.lexsort((sums.first[equal], sums.shoppers[equal]))]
    places = places_within(np.bincount(sums.shoppers[equal], minlength=lines))
    return np.concatenate([above, equal[places < room[sums.shoppers[equal]]]])


def as_lines(shoppers: Codes, values: NDArray[Any], lines: int, padding: float) -> NDArray[Any]:
    """(lines, longest): the values of shopper i in line i, padded at its end. `shoppers` must
    ascend."""
    counts = np.bincount(shoppers, minlength=lines)
    filled = np.full((lines, int(counts.max(initial=0))), padding, dtype=values.dtype)
    filled[shoppers, places_within(counts)] = values
    return filled
