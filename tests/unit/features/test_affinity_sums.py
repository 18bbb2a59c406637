"""Sums made on arrays are those of events taken one by one."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from itertools import pairwise

import pytest
from tests.builders import NOON_MS, event

from millstream.domain.deriving import DAY_MS, USUAL, Deriving
from millstream.domain.events import Event, EventType
from millstream.features import covisitation, popularity
from millstream.features.affinity_sums import AffinitySums, Near, Weights
from millstream.features.covisitation import BOUND, MAX_AGE_MS, MAX_LINES
from millstream.features.forward_decay import log_add
from millstream.features.ragged import Codes
from millstream.features.recent_items import RECENT_ITEMS
from millstream.features.replayed import ItemNumbers, ReplayedShopper
from millstream.features.state import ShopperState

KINDS = (EventType.VIEW_ITEM, EventType.ADD_TO_CART, EventType.PURCHASE, EventType.REMOVE_FROM_CART)
ITEMS = [f"i{n:02}" for n in range(MAX_LINES + 10)]


def history(seed: int, n: int) -> list[Event]:
    """Baskets with an item twice, and of more lines than are paired, among them."""
    rng = random.Random(seed)
    events, at_ms = [], NOON_MS
    for number in range(n):
        kind = rng.choice(KINDS)
        lines = 1 if kind is EventType.VIEW_ITEM else rng.choice((1, 2, 4, MAX_LINES + 5))
        at_ms += rng.choice((1_000, 60_000, MAX_AGE_MS // 3))
        items = rng.choices(ITEMS, k=lines)
        events.append(event(f"e{number}", f"u{rng.randrange(3)}", *items, kind=kind, at_ms=at_ms))
    return events


class OneByOne:
    """log2 sums, by covisitation.writes and popularity.writes."""

    def __init__(self, deriving: Deriving = USUAL) -> None:
        self.deriving = deriving
        self.near: dict[str, dict[str, float]] = defaultdict(dict)
        self.popular: dict[str, float] = {}

    def learn(self, one: Event, state: ShopperState) -> None:
        second_ms = one.time_ms // 1000 * 1000
        recent = state.read(RECENT_ITEMS, one.time_ms)
        before = [touch for touch in recent if touch.time_ms < second_ms]
        for item, other, weight in covisitation.writes(one, before, self.deriving):
            add(self.near[item], other, weight)
        for item, weight in popularity.writes(one, self.deriving):
            add(self.popular, item, weight)


def add(sums: dict[str, float], key: str, weight: float) -> None:
    sums[key] = log_add(sums[key], weight) if key in sums else weight


def named(numbers: Codes, weights: Weights, names: dict[int, str]) -> dict[str, float]:
    return dict(zip((names[n] for n in numbers.tolist()), weights.tolist(), strict=True))


def named_near(near: Near, names: dict[int, str]) -> dict[str, dict[str, float]]:
    return {
        names[item]: named(near.others[start:end], near.weights[start:end], names)
        for item, (start, end) in zip(near.items.tolist(), pairwise(near.starts), strict=True)
    }


OTHERWISE = Deriving({EventType.VIEW_ITEM: 2.0, EventType.PURCHASE: 3.0}, DAY_MS, 9 * DAY_MS, 0.5)


@pytest.mark.parametrize(
    ("settled_after", "deriving"), [(1, USUAL), (50, USUAL), (10_000, USUAL), (50, OTHERWISE)]
)
def test_the_sums_are_those_of_event_after_event(settled_after: int, deriving: Deriving) -> None:
    numbers, sums, expected = ItemNumbers(), AffinitySums(deriving), OneByOne(deriving)
    shoppers: dict[str, ReplayedShopper] = {}
    for one in history(seed=settled_after, n=200):
        shopper = shoppers.setdefault(one.shopper, ReplayedShopper(numbers))
        shopper.apply(one)
        items = [numbers.number(line.item_id) for line in one.items]
        sums.note(one.type, one.time_ms, items, shopper.state().touches)
        expected.learn(one, shopper.state())
        if sums.noted >= settled_after:
            sums.settle()
    added, names = sums.added(), numbers.names
    assert named(*added.popular, names) == pytest.approx(expected.popular, abs=1e-9)
    near = named_near(added.near, names)
    assert near.keys() == expected.near.keys()
    for item, weights in near.items():
        assert weights == pytest.approx(expected.near[item], abs=1e-9)


def test_of_each_item_the_heaviest_neighbours_stay() -> None:
    sums = AffinitySums()
    for other in range(1, BOUND + 11):
        for again in range(other):
            sums.note(EventType.PURCHASE, NOON_MS + again, [0, other], b"")
    near = sums.added().near
    assert near.starts[1] == BOUND
    assert near.others[:BOUND].tolist() == list(range(BOUND + 10, 10, -1))
    assert near.items.tolist() == list(range(BOUND + 11)), "the light ones have their own"


def test_nothing_noted_adds_nothing() -> None:
    sums = AffinitySums()
    sums.note(EventType.REMOVE_FROM_CART, NOON_MS, [1, 2], b"")
    near, (liked, _) = sums.added()
    assert (len(near.items), near.starts.tolist(), len(near.others), len(liked)) == (0, [0], 0, 0)


def test_times_a_century_apart_stay_numbers() -> None:
    sums = AffinitySums()
    for at_ms in (1, NOON_MS, 2 * NOON_MS):
        sums.note(EventType.PURCHASE, at_ms, [1, 2], b"")
    added = sums.added()
    assert all(math.isfinite(weight) for weight in added.popular[1])


@pytest.mark.parametrize("settles", [True, False])
def test_years_added_up_at_once_leave_the_newest_exact(settles: bool) -> None:
    """What a rebuild does for a small shop, by the shortest half-life that may be set."""
    sums = AffinitySums(Deriving(popular_half_life_ms=DAY_MS, together_half_life_ms=7 * DAY_MS))
    days = (0, 900, 1_999, 2_000)
    for item, day in enumerate(days):
        sums.note(EventType.VIEW_ITEM, NOON_MS + day * DAY_MS, [item, item + 10], b"")
        if settles:
            sums.settle()
    near, (liked, weights) = sums.added()
    log2 = dict(zip(liked.tolist(), weights.tolist(), strict=True))
    for item, day in enumerate(days[2:], start=2):
        at = (NOON_MS + day * DAY_MS) / DAY_MS
        assert log2[item] == log2[item + 10] == pytest.approx(at, abs=1e-9)
    assert log2[0] <= log2[1] < log2[2] - 900, "long ago, however it is told"
    pairs = dict(zip(near.items.tolist(), near.weights.tolist(), strict=True))
    assert pairs[3] - pairs[1] == pytest.approx(1_100 / 7, abs=1e-6)
