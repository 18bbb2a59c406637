"""What buyers say of items: a part of the score, and a part of the reason."""

from __future__ import annotations

import numpy as np

from millstream.domain.lists import RankedItem
from millstream.ranking.batch import Batch
from millstream.ranking.items import NOTHING, Codes
from millstream.ranking.score import Scored, best_first
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop

_PRAISE = tuple(f", liked by {percent} % of reviewers" for percent in range(101))
_UNTOLD = -1


def weigh(scored: Scored, batch: Batch, shop: Shop, settings: RankingSettings) -> Scored:
    """Best first again; the very same where liking has no weight.

    The share is drawn to one half as if `least_reviews` more had been written, half of them good,
    so that few reviews say little: (good + k/2) / (n + k), the mean of a beta distribution."""
    if not settings.liked_weight:
        return scored
    facts = batch.table.facts(scored.items, shop)
    n, liked, k = facts.reviews[scored.items], facts.liked[scored.items], settings.least_reviews
    share = (liked * n + k / 2) / (n + k)
    added = settings.liked_weight * (2 * share - 1)
    # Padding has the score of infinity and stays there.
    return best_first(scored._replace(scores=scored.scores + added), batch.table.ids)


def praise(
    lists: list[tuple[RankedItem, ...]],
    columns: Codes,
    scored: Scored,
    batch: Batch,
    shop: Shop,
    settings: RankingSettings,
) -> list[tuple[RankedItem, ...]]:
    """The lists of the `columns` of `scored`, with what share of its reviewers likes an item in its
    reason; the very same where there is nothing to tell."""
    there = columns != NOTHING
    lines, places = np.nonzero(there)
    items = np.full(columns.shape, NOTHING, dtype=np.int64)
    items[lines, places] = scored.items[lines, columns[lines, places]]
    facts = batch.table.facts(items, shop)
    liked = facts.liked[items]
    told = there & (facts.reviews[items] >= settings.least_reviews)
    told &= liked >= settings.liked_told
    if not told.any():
        return lists
    # Rounded down: a hundred of a hundred is said only where nobody dislikes it.
    percent = np.where(told, np.floor(100 * liked + 1e-9), _UNTOLD).astype(np.int64)
    praised = list(lists)
    for line in np.flatnonzero(told.any(axis=1)).tolist():
        praised[line] = tuple(
            item
            if share == _UNTOLD
            else RankedItem(item.item_id, item.score, item.source, item.reason + _PRAISE[share])
            for item, share in zip(lists[line], percent[line].tolist(), strict=False)
        )
    return praised
