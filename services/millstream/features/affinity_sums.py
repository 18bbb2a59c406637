"""Co-visitation and popularity of many events, added up on arrays.

What covisitation.writes and popularity.writes say of one event, for thousands at once and at a
fraction of the cost: items go by their numbers, and weights are told against a landmark nearby,
where they need no logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.domain.deriving import USUAL, Deriving
from millstream.domain.events import EventType
from millstream.features.covisitation import (
    BACKWARD,
    BOUND,
    MAX_AGE_MS,
    MAX_LINES,
    MAX_RECENT,
)
from millstream.features.ragged import Codes, places_within

Weights = NDArray[np.float64]

_NUMBER_BITS = 28
_TYPE_BITS = 4
_TOUCH_BYTES = 8
_MOST_HALVINGS = 960
"""To either side of the landmark: what is added up stays within a double. What is older counts
as this old."""
_FAR_HALVINGS = 480
"""By a day 16 months, by 30 days 39 years: what is newer than that moves the landmark."""


class Near(NamedTuple):
    """Neighbours of items, all by number: those of `items[i]`, (n,), are `others[starts[i] :
    starts[i + 1]]`, (p,), each with log2 of the weight to add."""

    items: Codes
    starts: Codes
    others: Codes
    weights: Weights


class Added(NamedTuple):
    """`popular`: items by number, each with log2 of the weight to add."""

    near: Near
    popular: tuple[Codes, Weights]


class AffinitySums:
    """Of one tenant. `note` only takes note, `settle` makes arrays of it, `added` is their sum."""

    def __init__(self, deriving: Deriving = USUAL) -> None:
        self._deriving = deriving
        self._landmark_ms = 0
        self._pairs: list[tuple[Codes, Weights]] = []
        self._liked: list[tuple[Codes, Weights]] = []
        self._begin()

    def _begin(self) -> None:
        self._lines: list[tuple[int, int, float, bytes]] = []
        self._basket: list[tuple[int, int]] = []

    @property
    def noted(self) -> int:
        """Lines that `settle` has not seen yet."""
        return len(self._lines)

    @property
    def pairs(self) -> int:
        """Of items, gathered by `settle` and not summed up yet: 16 bytes of memory each."""
        return sum(len(codes) for codes, _ in self._pairs)

    def note(self, kind: EventType, time_ms: int, items: Sequence[int], touches: bytes) -> None:
        """An event with the numbers of its lines' items. `touches`: the shopper's recent items as
        the state holds them (Write.RECENT, without their number), as of the event or later."""
        weight = self._deriving.popularity(kind, len(items))
        if weight is None:
            return
        if len(items) == 1:
            self._lines.append((items[0], time_ms, weight, touches))
            return
        distinct = list(dict.fromkeys(items))[:MAX_LINES]
        first = set(distinct)
        for item in items:  # a line that comes again adds to popularity alone
            self._lines.append((item, time_ms, weight, touches if item in first else b""))
            first.discard(item)
        pairs = [a << _NUMBER_BITS | b for a in distinct for b in distinct if a != b]
        self._basket += [(pair, time_ms) for pair in pairs]

    def settle(self) -> None:
        if not self._lines:
            return
        items, times_ms, by_type, touches = zip(*self._lines, strict=True)
        self._reach(max(times_ms))
        lines = _Lines(np.array(items), np.array(times_ms), touches)
        popular_ms = self._deriving.popular_half_life_ms
        together_ms = self._deriving.together_half_life_ms
        liked = self._weights(lines.times_ms, popular_ms) * np.array(by_type)
        self._liked.append((lines.items, liked))
        self._pairs += _sequences(lines, self._weights(lines.times_ms, together_ms))
        if self._basket:
            pairs, basket_ms = np.array(self._basket).T
            self._pairs.append((pairs, self._weights(basket_ms, together_ms)))
        self._begin()

    def added(self) -> Added:
        """Of all that was noted so far."""
        self.settle()
        pairs, weights = self._sums(self._pairs, self._deriving.together_half_life_ms)
        items, others = pairs >> _NUMBER_BITS, pairs & ((1 << _NUMBER_BITS) - 1)
        liked = self._sums(self._liked, self._deriving.popular_half_life_ms)
        return Added(_heaviest(items, others, weights), liked)

    def _reach(self, newest_ms: int) -> None:
        """A rebuild of a small shop adds up years at once, and the newest of them count most."""
        popular_ms = self._deriving.popular_half_life_ms
        together_ms = self._deriving.together_half_life_ms
        moved_ms = newest_ms - self._landmark_ms
        if moved_ms < _FAR_HALVINGS * min(popular_ms, together_ms):
            return
        self._landmark_ms = newest_ms
        self._pairs = _faded(self._pairs, moved_ms / together_ms)
        self._liked = _faded(self._liked, moved_ms / popular_ms)

    def _weights(self, times_ms: Codes, half_life_ms: int) -> Weights:
        halvings = (times_ms - self._landmark_ms) / half_life_ms
        return np.exp2(np.clip(halvings, -_MOST_HALVINGS, _MOST_HALVINGS))

    def _sums(
        self, parts: Sequence[tuple[Codes, Weights]], half_life_ms: int
    ) -> tuple[Codes, Weights]:
        """Distinct keys, ascending, and log2 of what they add up to, with the epoch as landmark."""
        if not parts:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        keys, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
        distinct, which = np.unique(keys, return_inverse=True)
        totals = np.bincount(which, weights)
        return distinct, np.log2(totals) + self._landmark_ms / half_life_ms


def _faded(parts: Sequence[tuple[Codes, Weights]], halvings: float) -> list[tuple[Codes, Weights]]:
    factor = 2.0 ** -min(halvings, _MOST_HALVINGS)
    return [(keys, np.maximum(weights * factor, 2.0**-_MOST_HALVINGS)) for keys, weights in parts]


def _heaviest(items: Codes, others: Codes, weights: Weights) -> Near:
    """Of each item's neighbours as many as are kept of it. `items` must ascend."""
    order = np.lexsort((-weights, items))
    items, others, weights = items[order], others[order], weights[order]
    _, counts = np.unique(items, return_counts=True)
    kept = places_within(counts) < BOUND
    items = items[kept]
    starts = np.flatnonzero(np.diff(items, prepend=-1))
    return Near(items[starts], np.append(starts, len(items)), others[kept], weights[kept])


class _Lines(NamedTuple):
    items: Codes
    times_ms: Codes
    touches: Sequence[bytes]


def _sequences(lines: _Lines, weights: Weights) -> list[tuple[Codes, Weights]]:
    """Pairs of each line's item with what the shopper touched before the line's second."""
    counts = np.array([len(touches) for touches in lines.touches]) // _TOUCH_BYTES
    heads, seconds = np.frombuffer(b"".join(lines.touches), ">u4").reshape(-1, 2).T.astype(np.int64)
    owners = np.repeat(np.arange(len(counts)), counts)
    times_ms = lines.times_ms[owners]
    age_ms = times_ms - seconds * 1000
    visit = (age_ms <= MAX_AGE_MS) & (seconds < times_ms // 1000)
    owners, earlier = owners[visit], heads[visit] >> _TYPE_BITS
    distances = places_within(np.bincount(owners, minlength=len(counts)))
    items = lines.items[owners]
    kept = (distances < MAX_RECENT) & (items != earlier)
    items, earlier = items[kept], earlier[kept]
    shares = weights[owners[kept]] * np.exp2(-distances[kept])
    return [
        (earlier << _NUMBER_BITS | items, shares),
        (items << _NUMBER_BITS | earlier, shares * 2.0**-BACKWARD),
    ]
