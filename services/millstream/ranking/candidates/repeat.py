"""What the shopper touched already: 38 % of next items in RetailRocket are in the session."""

from collections.abc import Sequence

from millstream.domain.lists import Source
from millstream.ranking.candidates.source import Context
from millstream.ranking.shop import Candidate, Shopper

SOURCE = Source.REPEAT


def propose(shoppers: Sequence[Shopper], context: Context) -> list[list[Candidate]]:
    return [_of(shopper, context) for shopper in shoppers]


def _of(shopper: Shopper, context: Context) -> list[Candidate]:
    """How many of them may stand in a list is the policy's to say (policy/repeats.py)."""
    settings = context.settings
    return [
        Candidate(touch.item_id, SOURCE, settings.repeat_recency**place, touch.item_id)
        for place, touch in enumerate(shopper.recent[: settings.candidates])
    ]
