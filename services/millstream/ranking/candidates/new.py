"""What the catalogue took in last, so that a new item is seen before its first event."""

from collections.abc import Sequence

from millstream.domain.lists import Source
from millstream.ranking.candidates.source import Context
from millstream.ranking.shop import Candidate, Shopper

SOURCE = Source.NEW
SHELF = 10


def propose(shoppers: Sequence[Shopper], context: Context) -> list[list[Candidate]]:
    items = context.shop.newest()[: min(SHELF, context.settings.candidates)]
    shelf = [Candidate(item, SOURCE, 1.0 - place / len(items)) for place, item in enumerate(items)]
    return [shelf for _ in shoppers]
