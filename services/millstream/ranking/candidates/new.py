"""What the catalogue took in last, so that a new item is seen before its first event."""

from millstream.domain.lists import Source
from millstream.ranking.batch import Batch
from millstream.ranking.candidates.source import Candidates, Context

SOURCE = Source.NEW
SHELF = 10


def propose(batch: Batch, context: Context) -> Candidates:
    items = context.shop.newest()[: min(SHELF, context.settings.candidates)]
    strengths = [1.0 - place / len(items) for place in range(len(items))]
    return Candidates.shelf(batch, items, strengths)
