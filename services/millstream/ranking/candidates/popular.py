"""What everybody takes lately; the only source that needs to know nothing of the shopper."""

from collections.abc import Sequence

from millstream.domain.lists import Source
from millstream.ranking.candidates.source import Context
from millstream.ranking.shop import Candidate, Shopper

SOURCE = Source.POPULAR


def propose(shoppers: Sequence[Shopper], context: Context) -> list[list[Candidate]]:
    weighted = context.shop.popular()[: context.settings.candidates]
    if not weighted:
        return [[] for _ in shoppers]
    heaviest = weighted[0][1]
    shelf = [Candidate(item, SOURCE, 2.0 ** (weight - heaviest)) for item, weight in weighted]
    return [shelf for _ in shoppers]
