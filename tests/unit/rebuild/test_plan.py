"""Every offset that is still to be counted comes from one place, or is named as missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.domain.errors import Halt
from millstream.rebuild.plan import Held, Span, plan, share


def test_the_log_alone_where_it_has_all() -> None:
    assert plan({0: 0, 1: 5}, {0: Held(0, 9), 1: Held(3, 7)}, {0: Held(0, 8)}) == [
        Span(0, start=0, lake_to=0, end=9),
        Span(1, start=5, lake_to=5, end=7),
    ]


def test_the_lake_gives_what_is_below_the_log_s_start() -> None:
    assert plan({0: 2}, {0: Held(6, 9)}, {0: Held(0, 8)}) == [Span(0, 2, lake_to=6, end=9)]


def test_a_log_that_lost_all_its_records() -> None:
    assert plan({0: 0}, {0: Held(9, 9)}, {0: Held(0, 9)}) == [Span(0, 0, lake_to=9, end=9)]


def test_the_lake_alone() -> None:
    spans = plan({0: 0, 1: 4}, {}, {0: Held(0, 8), 1: Held(0, 4)})
    assert spans == [Span(0, 0, lake_to=8, end=8), Span(1, 4, lake_to=4, end=4)]


@pytest.mark.parametrize(
    ("lake", "missing"),
    [
        ({}, "offsets 2 to 5 of partition 0"),
        ({0: Held(0, 2)}, "offsets 2 to 5 of partition 0"),
        ({0: Held(0, 4)}, "offsets 4 to 5 of partition 0"),
        ({0: Held(3, 8)}, "offsets 2 to 2 of partition 0"),
        (
            {0: Held(3, 5)},
            "offsets 2 to 2 of partition 0, offsets 5 to 5 of partition 0",
        ),
        ({0: Held(6, 8)}, "offsets 2 to 5 of partition 0"),
    ],
)
def test_what_neither_has_is_named(lake: dict[int, Held], missing: str) -> None:
    with pytest.raises(Halt, match=f"has {missing}, and they are still"):
        plan({0: 2}, {0: Held(6, 9)}, lake)


def test_nothing_is_missing_of_what_is_counted() -> None:
    assert plan({0: 6}, {0: Held(6, 9)}, {}) == [Span(0, 6, lake_to=6, end=9)]


def test_an_end_that_the_broker_tells_too_low_is_no_way_back() -> None:
    assert plan({0: 6}, {0: Held(0, 2)}, {}) == [Span(0, 6, lake_to=6, end=6)]


@given(st.lists(st.integers(0, 10_000), max_size=40), st.integers(1, 8))
def test_each_partition_goes_to_one_process(totals: list[int], processes: int) -> None:
    spans = [Span(number, 0, 0, total) for number, total in enumerate(totals)]
    shares = share(spans, processes)
    assert sorted((s for part in shares for s in part), key=lambda s: s.partition) == [
        span for span in spans if span.total
    ]
    assert len(shares) <= processes
    assert all(shares)
    if len(shares) > 1:  # greedy: no share exceeds another by more than its own last partition
        sizes = [sum(span.total for span in part) for part in shares]
        largest = max(shares, key=lambda part: sum(span.total for span in part))
        assert max(sizes) - min(sizes) <= max(span.total for span in largest)
