"""What a partition hands over is the next part of the log, or it is noticed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.streaming.cursor import TRUE_HOLE_AFTER, Cursor, Jumped


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


def test_a_jump_names_what_is_missing() -> None:
    with pytest.raises(Jumped) as jumped:
        Cursor(5, 5).take(ats(7, 8))
    assert (jumped.value.expected, jumped.value.found) == (5, 7)


def test_what_is_missing_after_every_seek_does_not_exist() -> None:
    cursor = Cursor(5, 5)
    for _ in range(TRUE_HOLE_AFTER - 1):
        with pytest.raises(Jumped):
            cursor.take(ats(8, 9))
        earlier, cursor = cursor, Cursor(5, 5)  # a seek makes a new cursor
        cursor.remember(earlier)
    assert cursor.take(ats(8, 9)) == ats(8, 9)
    assert cursor.holes == 3


def test_jumps_with_progress_in_between_are_no_hole() -> None:
    cursor = Cursor(5, 5)
    for _ in range(3 * TRUE_HOLE_AFTER):
        with pytest.raises(Jumped):
            cursor.take(ats(8))
        assert cursor.take(ats(5)) == ats(5)


def test_going_back_over_a_known_hole_is_no_new_jump() -> None:
    """A rewind leads to where the slowest slot stands, in front of holes that were met before."""
    cursor = Cursor(0, 0)
    for _ in range(TRUE_HOLE_AFTER - 1):
        with pytest.raises(Jumped):
            cursor.take(ats(1, 2))
    for _ in range(TRUE_HOLE_AFTER - 1):
        assert cursor.take(ats(1, 2)) == ats(1, 2)
        cursor.advance(3)
        with pytest.raises(Jumped):
            cursor.take(ats(5))
        earlier, cursor = cursor, Cursor(0, 0)
        cursor.remember(earlier)
    assert cursor.take(ats(1, 2)) == ats(1, 2)
    cursor.advance(3)
    assert cursor.take(ats(5)) == ats(5)


def test_different_jumps_are_no_hole() -> None:
    cursor = Cursor(5, 5)
    for found in range(6, 6 + 3 * TRUE_HOLE_AFTER):
        with pytest.raises(Jumped):
            cursor.take(ats(found))


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
