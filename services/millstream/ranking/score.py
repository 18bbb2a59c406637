"""One score per candidate item: the sum of what each source says for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.domain.lists import Source
from millstream.model.blend import Blend
from millstream.ranking.batch import Batch
from millstream.ranking.candidates.source import Candidates
from millstream.ranking.items import NOTHING, Codes
from millstream.ranking.settings import RankingSettings
from millstream.ranking.sums import Sums, as_lines, sum_by_pair
from millstream.ranking.worth import worths


class Scored(NamedTuple):
    """Line i is shopper i's, best first, padded at its end; all (n, w). `items`: codes, NOTHING
    where the line has ended; `leads`: the candidate that added most to the score, which gives
    source and reason: its place in `because` (m,), where source s has those from `starts[s]` on."""

    items: Codes
    scores: NDArray[np.float64]
    leads: Codes
    because: Codes
    starts: Codes


def score(
    proposed: Sequence[tuple[Source, Candidates]],
    batch: Batch,
    settings: RankingSettings,
    blend: Blend | None = None,
) -> Scored:
    """An item that several sources name keeps all that they add. Scores that are not finite come
    last, equal ones in the order of the item ids."""
    parts = worths(proposed, settings, blend)
    told = [*(candidates for _, candidates in proposed), Candidates.none()]
    shoppers = np.concatenate([each.shoppers for each in told])
    items = np.concatenate([each.items for each in told])
    because = np.concatenate([each.because for each in told])
    sums = sum_by_pair(shoppers, items, np.concatenate([*parts, _EMPTY]), len(batch.table))
    lines = as_lines(sums.shoppers, sums.items, len(batch), NOTHING)
    totals = as_lines(sums.shoppers, sums.totals, len(batch), np.inf)
    leads = as_lines(sums.shoppers, _leads(sums, parts), len(batch), NOTHING)
    starts = np.cumsum([0, *(len(part) for part in parts)])
    return best_first(Scored(lines, totals, leads, because, starts), batch.table.ids)


def best_first(scored: Scored, ids: Sequence[str]) -> Scored:
    """`scored` in order; padding must have the score of infinity."""
    order = _order(scored.items, scored.scores, ids)
    return Scored(
        np.take_along_axis(scored.items, order, axis=1),
        np.take_along_axis(scored.scores, order, axis=1),
        np.take_along_axis(scored.leads, order, axis=1),
        scored.because,
        scored.starts,
    )


_EMPTY = np.zeros(0)


def _leads(sums: Sums, parts: Sequence[NDArray[np.float64]]) -> Codes:
    """(p,) per pair the candidate with the greatest part; of equal ones the first."""
    leads, greatest = sums.first.copy(), np.full(len(sums.first), -np.inf)
    start = 0
    for part in parts:
        pairs = sums.which[start : start + len(part)]
        better = np.flatnonzero(part > greatest[pairs])
        greatest[pairs[better]] = part[better]
        leads[pairs[better]] = better + start
        start += len(part)
    return leads


def _order(items: Codes, scores: NDArray[np.float64], ids: Sequence[str]) -> Codes:
    """(n, w) columns, best first, padding last."""
    keys = np.where(np.isfinite(scores), -scores, np.inf)
    order = np.argsort(keys, axis=1)
    keys = np.take_along_axis(keys, order, axis=1)
    equal = np.zeros(keys.shape, dtype=np.bool_)
    equal[:, 1:] = keys[:, 1:] == keys[:, :-1]
    equal[:, :-1] |= equal[:, 1:]
    # Padding and what is not finite are alike so far; lines of nothing else need no order.
    equal &= (keys < np.inf) | (items != NOTHING).any(axis=1, where=~np.isfinite(scores))[:, None]
    lines, columns = np.nonzero(equal)
    if len(lines):
        alike = order[lines, columns]
        names = _by_id(items[lines, alike], ids)
        order[lines, columns] = alike[np.lexsort((names, keys[lines, columns], lines))]
    return order


def _by_id(items: Codes, ids: Sequence[str]) -> Codes:
    """(m,) numbers that stand in the order of the item ids, padding after all of them."""
    distinct, which = np.unique(items, return_inverse=True)
    names = [ids[code] for code in distinct[distinct != NOTHING].tolist()]
    places = np.full(len(distinct), len(names), dtype=np.int64)  # the first one may be padding
    in_order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
    places[in_order + len(distinct) - len(names)] = np.arange(len(names))
    return places[which]
