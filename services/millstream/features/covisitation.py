"""Which items go together: touched by the same shopper one after the other, or in one basket.

Derived and bounded: an event of L lines with R recent items writes at most
MAX_LINES * (MAX_RECENT + MAX_LINES) pairs, and an item keeps BOUND neighbours. The weight
of a pair falls with the distance between the two (half at each of the first steps), and
fades by half in so many days. A look, a cart and a purchase join two items alike: weighed by what
they say about interest, a few purchases drown what thousands of looks say (measured)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.domain.deriving import USUAL, Deriving
from millstream.domain.events import Event
from millstream.features.forward_decay import log_weight
from millstream.features.recent_items import Touch

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


def writes(
    event: Event, recent_before: Sequence[Touch], deriving: Deriving = USUAL
) -> Iterator[Pair]:
    """(item, neighbour, log2 weight to add), both ways for a basket, forward for a sequence.

    `recent_before`: the shopper's recent items before this event, newest first."""
    if event.type not in deriving.weights:
        return
    time_ms = event.time_ms
    lines = list(dict.fromkeys([line.item_id for line in event.items]))[:MAX_LINES]
    full = log_weight(1.0, time_ms, deriving.together_half_life_ms)
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


class Shares(NamedTuple):
    """An item's leading neighbours, the heaviest first, and each one's part of their sum."""

    items: Sequence[str]
    parts: NDArray[np.float64]


NO_SHARES = Shares((), np.zeros(0))


def shares_of(weighted: Sequence[tuple[str, float]]) -> Shares:
    """As `shares`, of (neighbour, log2 weight) pairs."""
    weights = np.array([weight for _, weight in weighted], dtype=np.float64)
    return shares([item for item, _ in weighted], weights)


def shares(items: Sequence[str], weights: NDArray[np.float64]) -> Shares:
    """Of neighbours with log2 weights, the heaviest first; at most LEADING."""
    linear = np.exp2(weights[:LEADING] - weights[:1])
    return Shares(items[:LEADING], linear / linear.sum())
