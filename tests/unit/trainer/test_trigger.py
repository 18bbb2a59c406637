"""Training begins once there are enough lines, and the lake is not read over and over for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.trainer.trigger import Trigger


def run(trigger: Trigger, lines_per_record: int, records: range) -> tuple[int | None, int]:
    """(records at which it was time, how often the lake was read)."""
    reads = 0
    for count in records:
        if trigger.worth_counting(count):
            reads += 1
            if trigger.counted(count, count * lines_per_record):
                return count, reads
    return None, reads


@given(lines_per_record=st.integers(1, 200), wanted=st.integers(1, 5000))
def test_never_too_early_seldom_late_and_few_reads(lines_per_record: int, wanted: int) -> None:
    began, reads = run(Trigger(wanted, 1), lines_per_record, range(20_000))
    enough = -(-wanted // lines_per_record)
    assert began is not None
    assert enough <= began <= enough + 1
    assert reads <= 12


def test_an_empty_lake_is_not_read() -> None:
    assert not Trigger(1, 1).worth_counting(0)


def test_a_lake_without_lines_is_read_again_at_twice_its_records() -> None:
    trigger = Trigger(10, 10)
    assert trigger.worth_counting(100)
    assert not trigger.counted(100, 0)
    assert not trigger.worth_counting(150)
    assert trigger.worth_counting(200)


def test_the_next_training_waits_for_so_many_further_lines() -> None:
    trigger = Trigger(100, 50)
    assert trigger.wanted == 100
    trigger.trained(120, 7)
    assert (trigger.wanted, trigger.trained_to_ms) == (50, 7)
    assert not trigger.worth_counting(120)
    assert not trigger.counted(169, 49)
    assert trigger.worth_counting(170)
    assert trigger.counted(170, 50)


def test_the_next_look_follows_the_lines_per_record_since_the_last_training() -> None:
    trigger = Trigger(1, 100)
    trigger.trained(1_000_000, 7)
    assert not trigger.counted(1_000_010, 10)
    assert not trigger.worth_counting(1_000_090)
    assert trigger.worth_counting(1_000_091)


@pytest.mark.parametrize(("lines", "due"), [(99, False), (100, True), (101, True)])
def test_the_limit_itself_is_enough(lines: int, due: bool) -> None:
    assert Trigger(100, 50).counted(1000, lines) is due
