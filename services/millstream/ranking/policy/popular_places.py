"""At most `popular_places` places of a list for what sells best, so that other items are seen too:
the bound on exposure that a shop can set. What it costs in recall, `millstream report fairness`
tells."""

import numpy as np

from millstream.ranking.items import Mask
from millstream.ranking.policy.rule import Lines

NAME = "popular_places"


def keeps(lines: Lines, asked: Mask) -> Mask:
    settings = lines.settings
    if settings.popular_places >= settings.list_length:
        return np.ones_like(asked)
    best = lines.shop.popular()[: settings.popular_items]
    popular = np.isin(lines.items, lines.batch.table.of(item for item, _ in best))
    return ~(popular & ((popular & asked).cumsum(axis=1) > settings.popular_places))
