"""What the shopper touched already: 38 % of next items in RetailRocket are in the session."""

import numpy as np

from millstream.domain.lists import Source
from millstream.ranking.batch import Batch
from millstream.ranking.candidates.source import Candidates, Context

SOURCE = Source.REPEAT


def propose(batch: Batch, context: Context) -> Candidates:
    """How many of them may stand in a list is the policy's to say (policy/repeats.py)."""
    settings = context.settings
    by_place = np.array([settings.repeat_recency**place for place in range(settings.candidates)])
    shoppers, items, _, places = batch.touches
    newest = places < settings.candidates
    items = items[newest]
    kinds = batch.touch_kinds[newest]
    return Candidates(shoppers[newest], items, by_place[places[newest]], items, kinds)
