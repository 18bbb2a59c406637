"""Which items go together: touched by the same shopper one after the other, or in one basket.

Derived and bounded: an event of L lines with R recent items writes at most
MAX_LINES * (MAX_RECENT + MAX_LINES) pairs, and an item keeps BOUND neighbours. The weight
of a pair falls with the distance between the two (half at each of the first steps), and
fades by half in 30 days. A look, a cart and a purchase join two items alike: weighed by what
they say about interest, a few purchases drown what thousands of looks say (measured)."""

from collections.abc import Iterator, Sequence

from millstream.domain.events import Event
from millstream.features.forward_decay import HALF_LIFE_MS, log_weight
from millstream.features.recent_items import Touch
from millstream.features.weights import EVENT_WEIGHT

BOUND = 40
"""Neighbours kept of an item: twice as many as are read, so that a new one has time to grow."""
LEADING = 20
MAX_RECENT = 5
MAX_LINES = 20
BACKWARD = 1
"""Halvings by which the earlier item is recommended less for the later one than the reverse."""
MAX_AGE_MS = 24 * 3_600_000
"""Older touches belong to another visit."""

Pair = tuple[str, str, float]
Weighted = Sequence[tuple[str, float]]


def writes(event: Event, recent_before: Sequence[Touch]) -> Iterator[Pair]:
    """(item, neighbour, log2 weight to add), both ways for a basket, forward for a sequence.

    `recent_before`: the shopper's recent items before this event, newest first."""
    if event.type not in EVENT_WEIGHT:
        return
    time_ms = event.time_ms
    lines = list(dict.fromkeys([line.item_id for line in event.items]))[:MAX_LINES]
    full = log_weight(1.0, time_ms, HALF_LIFE_MS)
    yield from _pairs(lines, _same_visit(time_ms, recent_before), full)


def _same_visit(time_ms: int, recent: Sequence[Touch]) -> list[str]:
    return [t.item_id for t in recent if time_ms - t.time_ms <= MAX_AGE_MS][:MAX_RECENT]


def _pairs(lines: list[str], recent: list[str], full: float) -> Iterator[Pair]:
    """`full`: log2 of a pair's weight at no distance."""
    for item in lines:
        for distance, earlier in enumerate(recent):
            if earlier != item:
                yield earlier, item, full - distance
                yield item, earlier, full - distance - BACKWARD
        for other in lines:
            if other != item:
                yield item, other, full


def shares(weighted: Weighted) -> list[tuple[str, float]]:
    """(neighbour, log2 weight), the heaviest first, as parts of their sum; at most LEADING."""
    leading = weighted[:LEADING]
    linear = [2.0 ** (weight - leading[0][1]) for _, weight in leading]
    total = sum(linear)
    return [(item, part / total) for (item, _), part in zip(leading, linear, strict=True)]
