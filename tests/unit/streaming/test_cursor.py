"""What a partition hands over is the next part of the log, or it is noticed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.streaming.cursor import Cursor, Jumped


@dataclass(frozen=True)
class At:
    offset: int


def ats(*offsets: int) -> list[At]:
    return [At(offset) for offset in offsets]


def test_what_follows_is_taken_whole() -> None:
    cursor = Cursor(5, 5)
    assert cursor.take(ats(5, 6, 7)) == ats(5, 6, 7)
    assert cursor.expected == 5, "only `advance` moves it, when the records are handled"


def test_of_an_overlap_only_what_is_new_is_taken() -> None:
    assert Cursor(5, 5).take(ats(3, 4, 5, 6)) == ats(5, 6)


@pytest.mark.parametrize("offsets", [(), (1, 2), (4,)])
def test_a_stale_delivery_is_nothing(offsets: tuple[int, ...]) -> None:
    assert not Cursor(5, 5).take(ats(*offsets))


def test_a_jump_names_what_is_missing_each_time_it_comes() -> None:
    cursor = Cursor(5, 5)
    for _ in range(5):  # to come again proves nothing: it may have been fetched before the seek
        with pytest.raises(Jumped) as jumped:
            cursor.take(ats(7, 8))
        assert (jumped.value.expected, jumped.value.found) == (5, 7)


def test_behind_a_hole_that_was_stepped_over_it_goes_on() -> None:
    cursor = Cursor(5, 5)
    cursor.nothing_before = 8
    assert cursor.take(ats(8, 9)) == ats(8, 9)
    assert cursor.expected == 5, "the hole is part of the range that is counted"
    with pytest.raises(Jumped):
        cursor.take(ats(9))


def test_advance_never_goes_back() -> None:
    cursor = Cursor(5, 5)
    cursor.advance(9)
    cursor.advance(7)
    assert cursor.expected == 9


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=40))
def test_however_a_dense_log_is_cut_each_record_is_handled_once(
    cuts: list[tuple[int, int]],
) -> None:
    cursor, handled = Cursor(0, 0), list[int]()
    for start, length in cuts:
        try:
            fresh = cursor.take(ats(*range(start, start + length)))
        except Jumped:
            cursor = Cursor(cursor.expected, 0)
            continue
        handled += [at.offset for at in fresh]
        if fresh:
            cursor.advance(fresh[-1].offset + 1)
    assert handled == list(range(len(handled)))
