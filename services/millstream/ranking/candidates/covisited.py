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
    """The newest item that leads to a candidate is its reason, if the shop shows it."""
    settings = context.settings
    sums: dict[str, float] = {}
    because: dict[str, str] = {}
    for touch, recency in _with_recency(shopper.recent[: settings.recent_items], settings.recency):
        known = context.shop.item(touch.item_id)
        is_shown = known is None or not known.hidden
        for neighbour, share in context.shop.shares(touch.item_id):
            sums[neighbour] = sums.get(neighbour, 0.0) + recency * share
            if is_shown:
                because.setdefault(neighbour, touch.item_id)
    # A stable sort: of equal sums the one that a newer item leads to comes first.
    best = sorted(sums, key=sums.__getitem__, reverse=True)[: settings.candidates]
    top = sums[best[0]] if best else 1.0
    return [Candidate(item, SOURCE, sums[item] / top, because.get(item)) for item in best]


def _with_recency(recent: Sequence[Touch], recency: float) -> Iterator[tuple[Touch, float]]:
    """The items of one event, a basket say, are equally recent."""
    weight = 1.0
    for place, touch in enumerate(recent):
        if place and touch.time_ms != recent[place - 1].time_ms:
            weight *= recency
        yield touch, weight
