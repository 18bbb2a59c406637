"""What other shoppers took next to the recent items."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.domain.lists import Source
from millstream.features.ragged import places_within
from millstream.ranking.batch import Batch, Touches
from millstream.ranking.candidates.source import Candidates, Context
from millstream.ranking.items import NOTHING, Codes, Mask
from millstream.ranking.sums import strongest, sum_by_pair

SOURCE = Source.COVISITED
_NO_CODES = np.zeros(0, dtype=np.int64)
_NO_SHARES = np.zeros(0)


def propose(batch: Batch, context: Context) -> Candidates:
    """The newest item that leads to a candidate is its reason, if the shop shows it."""
    settings = context.settings
    newest = batch.touches.places < settings.recent_items
    touches = Touches(*(column[newest] for column in batch.touches))
    ways = _ways(touches, batch, context)
    sums = sum_by_pair(ways.shoppers, ways.items, ways.weights, len(batch.table))
    # Of equal sums the one that a newer item leads to comes first.
    best = strongest(sums, len(batch), settings.candidates)
    because = np.full(len(sums.totals), NOTHING, dtype=np.int64)
    # Backwards, so that the newest is written last and stays.
    because[sums.which[ways.is_shown][::-1]] = ways.because[ways.is_shown][::-1]
    shoppers, totals = sums.shoppers[best], sums.totals[best]
    top = np.zeros(len(batch))
    np.maximum.at(top, shoppers, totals)
    top[top == 0.0] = 1.0  # with a recency of 0 all may add nothing
    return Candidates(shoppers, sums.items[best], totals / top[shoppers], because[best])


class _Ways(NamedTuple):
    """Each way from a recent item to a neighbour, in the order of shoppers and touches; (m,)."""

    shoppers: Codes
    items: Codes
    weights: NDArray[np.float64]
    because: Codes
    is_shown: Mask


def _ways(touches: Touches, batch: Batch, context: Context) -> _Ways:
    distinct, which = np.unique(touches.items, return_inverse=True)
    near = [batch.table.near(code, context.shop) for code in distinct.tolist()]
    items = np.concatenate([_NO_CODES, *(neighbours.items for neighbours in near)])
    shares = np.concatenate([_NO_SHARES, *(neighbours.said.parts for neighbours in near)])
    hidden = batch.table.facts(distinct, context.shop).hidden[distinct]

    counts = np.array([len(neighbours.items) for neighbours in near], dtype=np.int64)
    starts = np.cumsum(counts) - counts
    steps = counts[which]
    ways = np.repeat(starts[which], steps) + places_within(steps)
    recency = np.repeat(_recency(touches, context.settings.recency), steps)
    return _Ways(
        np.repeat(touches.shoppers, steps),
        items[ways],
        recency * shares[ways],
        np.repeat(touches.items, steps),
        np.repeat(~hidden[which], steps),
    )


def _recency(touches: Touches, recency: float) -> NDArray[np.float64]:
    """(m,) weights; the items of one event, a basket say, are equally recent."""
    earlier = np.zeros(len(touches.places), dtype=np.int64)
    earlier[1:] = (touches.places[1:] > 0) & (touches.times_ms[1:] != touches.times_ms[:-1])
    behind = np.cumsum(earlier)
    first = touches.places == 0
    behind -= np.repeat(behind[first], np.diff(np.append(np.flatnonzero(first), len(behind))))
    powers = np.full(int(behind.max(initial=0)) + 1, recency)
    powers[0] = 1.0
    return np.multiply.accumulate(powers)[behind]
