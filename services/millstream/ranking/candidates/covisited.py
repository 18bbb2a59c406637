"""What other shoppers took next to the recent items."""

from collections.abc import Sequence

from millstream.domain.lists import Source
from millstream.ranking.candidates.source import Context
from millstream.ranking.shop import Candidate, Shopper, Weighted

SOURCE = Source.COVISITED


def propose(shoppers: Sequence[Shopper], context: Context) -> list[list[Candidate]]:
    return [_of(shopper, context) for shopper in shoppers]


def _of(shopper: Shopper, context: Context) -> list[Candidate]:
    settings = context.settings
    sums: dict[str, float] = {}
    leads: dict[str, tuple[float, str]] = {}
    for place, touch in enumerate(shopper.recent[: settings.recent_items]):
        recency = settings.recency**place
        for neighbour, share in shares(context.shop.neighbours(touch.item_id)):
            part = recency * share
            sums[neighbour] = sums.get(neighbour, 0.0) + part
            if part > leads.get(neighbour, (0.0, ""))[0]:
                leads[neighbour] = (part, touch.item_id)
    best = sorted(sums, key=lambda item: (-sums[item], item))[: settings.candidates]
    return [Candidate(item, SOURCE, sums[item] / sums[best[0]], leads[item][1]) for item in best]


def shares(weighted: Weighted) -> list[tuple[str, float]]:
    """Log2 weights as parts of their sum."""
    if not weighted:
        return []
    heaviest = weighted[0][1]
    linear = [2.0 ** (weight - heaviest) for _, weight in weighted]
    total = sum(linear)
    return [(item, part / total) for (item, _), part in zip(weighted, linear, strict=True)]
