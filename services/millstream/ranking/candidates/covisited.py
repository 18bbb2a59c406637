"""What other shoppers took next to the recent items."""

from collections.abc import Iterator, Sequence
from heapq import nsmallest

from millstream.domain.lists import Source
from millstream.features.recent_items import Touch
from millstream.ranking.candidates.source import Context
from millstream.ranking.shop import Candidate, Shopper

SOURCE = Source.COVISITED


def propose(shoppers: Sequence[Shopper], context: Context) -> list[list[Candidate]]:
    return [_of(shopper, context) for shopper in shoppers]


def _of(shopper: Shopper, context: Context) -> list[Candidate]:
    settings = context.settings
    sums: dict[str, float] = {}
    leads: dict[str, tuple[float, str]] = {}
    for touch, recency in _with_recency(shopper.recent[: settings.recent_items], settings.recency):
        for neighbour, share in context.shop.shares(touch.item_id):
            part = recency * share
            if neighbour not in sums:
                sums[neighbour] = part
                leads[neighbour] = part, touch.item_id
                continue
            sums[neighbour] += part
            if part > leads[neighbour][0]:
                leads[neighbour] = part, touch.item_id
    best = nsmallest(settings.candidates, ((-total, item) for item, total in sums.items()))
    return [Candidate(item, SOURCE, total / best[0][0], leads[item][1]) for total, item in best]


def _with_recency(recent: Sequence[Touch], recency: float) -> Iterator[tuple[Touch, float]]:
    """The items of one event, a basket say, are equally recent."""
    weight = 1.0
    for place, touch in enumerate(recent):
        if place and touch.time_ms != recent[place - 1].time_ms:
            weight *= recency
        yield touch, weight
