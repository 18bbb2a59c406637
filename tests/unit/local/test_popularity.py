from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from millstream.local.popularity import MS_PER_DAY, BestSellers


@given(st.lists(st.sampled_from("abcdefgh"), max_size=60), st.integers(1, 5))
def test_plain_counts_are_those_of_a_full_recount(bought: list[str], size: int) -> None:
    sellers = BestSellers(size)
    for item_id in bought:
        sellers.add(item_id, 0)
    counts = Counter(bought)
    held = sorted((counts[item_id] for item_id in sellers.ranked()), reverse=True)
    assert held == sorted(counts.values(), reverse=True)[:size]
    assert [counts[item_id] for item_id in sellers.ranked()] == held


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 40)), max_size=40))
def test_decayed_order_is_that_of_weights_recomputed_at_the_end(
    bought: list[tuple[str, int]],
) -> None:
    by_day = sorted(bought, key=lambda purchase: purchase[1])
    sellers = BestSellers(3, half_life_days=1)
    weights: Counter[str] = Counter()
    for item_id, day in by_day:
        sellers.add(item_id, day * MS_PER_DAY)
        weights[item_id] += 2**day  # whole numbers: exact
    best = sorted(weights.values(), reverse=True)[:3]
    assert [weights[item_id] for item_id in sellers.ranked()] == best


def test_what_sold_lately_overtakes_what_sold_long_ago() -> None:
    plain, decayed = BestSellers(1), BestSellers(1, half_life_days=7)
    for sellers in (plain, decayed):
        for _ in range(3):
            sellers.add("old", 0)
        for _ in range(2):
            sellers.add("new", 30 * MS_PER_DAY)
    assert (plain.ranked(), decayed.ranked()) == (("old",), ("new",))
