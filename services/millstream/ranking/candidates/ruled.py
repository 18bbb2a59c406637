"""What merchandising rules pin for everybody, so that it stands among the candidates with whatever
the other sources say for it; this one adds nothing to a score."""

from millstream.domain.lists import Source
from millstream.ranking.batch import Batch
from millstream.ranking.candidates.source import Candidates, Context

SOURCE = Source.RULE


def propose(batch: Batch, context: Context) -> Candidates:
    if not context.rules.pins:
        return Candidates.none()
    named = dict.fromkeys(pin.terms.item_id for pin in context.rules.pins)
    sold = [item for item in named if item is not None and context.shop.item(item) is not None]
    sold = sold[: context.settings.candidates]
    return Candidates.shelf(batch, sold, [1.0] * len(sold))
