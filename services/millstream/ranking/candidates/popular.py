"""What everybody takes lately; the only source that needs to know nothing of the shopper."""

from millstream.domain.lists import Source
from millstream.ranking.batch import Batch
from millstream.ranking.candidates.source import Candidates, Context

SOURCE = Source.POPULAR


def propose(batch: Batch, context: Context) -> Candidates:
    weighted = context.shop.popular()[: context.settings.candidates]
    if not weighted:
        return Candidates.none()
    heaviest = weighted[0][1]
    strengths = [2.0 ** (weight - heaviest) for _, weight in weighted]
    return Candidates.shelf(batch, [item for item, _ in weighted], strengths)
