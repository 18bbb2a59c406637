"""What other shoppers took next to the recent items."""

from collections.abc import Iterator, Sequence

from millstream.domain.lists import Source
from millstream.features.recent_items import Touch
from millstream.ranking.candidates.source import Context
from millstream.ranking.shop import Candidate, Shopper

SOURCE = Source.COVISITED


def propose(shoppers: Sequence[Shopper], context: Context) -> list[list[Candidate]]:
    return [_of(shopper, context) for shopper in shoppers]


def _of(shopper: Shopper, context: Context) -> list[Candidate]:
    """The newest item that leads to a candidate is its reason."""
    settings = context.settings
    sums: dict[str, float] = {}
    because: dict[str, str] = {}
    for touch, recency in _with_recency(shopper.recent[: settings.recent_items], settings.recency):
        for neighbour, share in context.shop.shares(touch.item_id):
            if neighbour in sums:
                sums[neighbour] += recency * share
            else:
                sums[neighbour] = recency * share
                because[neighbour] = touch.item_id
    # A stable sort: of equal sums the one that a newer item leads to comes first.
    best = sorted(sums, key=sums.__getitem__, reverse=True)[: settings.candidates]
    return [Candidate(item, SOURCE, sums[item] / sums[best[0]], because[item]) for item in best]


def _with_recency(recent: Sequence[Touch], recency: float) -> Iterator[tuple[Touch, float]]:
    """The items of one event, a basket say, are equally recent."""
    weight = 1.0
    for place, touch in enumerate(recent):
        if place and touch.time_ms != recent[place - 1].time_ms:
            weight *= recency
        yield touch, weight
