"""Training begins once there are enough lines, and the lake is not read over and over for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.trainer.trigger import STILL_MS, Trigger, Why


def run(trigger: Trigger, lines_per_record: int, records: range) -> tuple[int | None, int]:
    """(records at which it was time, how often the lake was read)."""
    reads = 0
    for count in records:
        if trigger.worth_counting(count, 0):
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


def test_a_lake_that_stands_still_is_counted_once_more_than_was_expected() -> None:
    trigger = Trigger(1_000, 1_000)
    assert trigger.worth_counting(100, 0)
    assert not trigger.counted(100, 300)
    assert not trigger.worth_counting(250, 5)  # 750 lines are expected
    assert not trigger.worth_counting(250, 4 + STILL_MS)
    assert trigger.worth_counting(250, 5 + STILL_MS)
    assert not trigger.counted(250, 990)
    assert not trigger.worth_counting(250, 9 * STILL_MS), "counted already, and nothing came"
    assert trigger.worth_counting(253, 9 * STILL_MS), "4 lines a record: enough with three more"


def test_where_little_is_expected_a_lake_that_stands_still_is_left_alone() -> None:
    trigger = Trigger(1_000, 1_000)
    trigger.counted(100, 100)
    assert not trigger.worth_counting(249, 0)
    assert not trigger.worth_counting(249, STILL_MS)


def test_an_empty_lake_is_not_read() -> None:
    assert not Trigger(1, 1).worth_counting(0, 0)


def test_a_lake_without_lines_is_read_again_at_twice_its_records() -> None:
    trigger = Trigger(10, 10)
    assert trigger.worth_counting(100, 0)
    assert not trigger.counted(100, 0)
    assert not trigger.worth_counting(150, 0)
    assert trigger.worth_counting(200, 0)


def test_the_next_training_waits_for_so_many_further_lines() -> None:
    trigger = Trigger(100, 50)
    assert trigger.wanted == 100
    trigger.trained(120, 7, 5)
    assert (trigger.wanted, trigger.trained_to_ms) == (50, 7)
    assert not trigger.worth_counting(120, 0)
    assert not trigger.counted(169, 49)
    assert trigger.worth_counting(170, 0)
    assert trigger.counted(170, 50)


def test_the_next_look_follows_the_lines_per_record_since_the_last_training() -> None:
    trigger = Trigger(1, 100)
    trigger.trained(1_000_000, 7, 5)
    assert not trigger.counted(1_000_010, 10)
    assert not trigger.worth_counting(1_000_090, 0)
    assert trigger.worth_counting(1_000_091, 0)


@pytest.mark.parametrize(("lines", "due"), [(99, False), (100, True), (101, True)])
def test_the_limit_itself_is_enough(lines: int, due: bool) -> None:
    assert Trigger(100, 50).counted(1000, lines) is due


def test_time_alone_is_enough_after_the_first_version() -> None:
    trigger = Trigger(100, 100, every_ms=1000)
    assert trigger.due(10**9) is None, "before the first version lines decide"
    trigger.trained(10, 7, began_ms=5000)
    assert [trigger.due(now) for now in (5999, 6000)] == [None, Why.TIME]


def test_who_asks_is_answered_once() -> None:
    trigger = Trigger(100, 100)
    trigger.ask(4000)
    assert trigger.due(4001) is Why.ASKED
    trigger.trained(10, 7, began_ms=4001)
    assert trigger.due(5000) is None
    trigger.ask(4000)  # the topic is read again from its start
    assert trigger.due(5000) is None
    trigger.ask(5000)
    assert trigger.due(5001) is Why.ASKED
    trigger.ask(6000)  # while it trains: what came then is not in it
    trigger.trained(20, 9, began_ms=5500)
    assert trigger.due(7000) is Why.ASKED


def test_drift_is_looked_for_between_two_trainings() -> None:
    trigger = Trigger(1, 1_000_000, drift_looks=50)
    assert not trigger.looks_for_drift(10_000), "there is nothing yet to have drifted from"
    trigger.trained(1000, 7, 5)
    assert [trigger.worth_counting(records, 0) for records in (1049, 1050)] == [False, True]
    assert not trigger.counted(1050, 10)
    assert [trigger.looks_for_drift(records) for records in (1099, 1100)] == [False, True]


def test_what_is_new_is_told_by_the_last_count_and_from_nothing_after_a_training() -> None:
    trigger = Trigger(1000, 500, every_ms=60_000)
    assert (trigger.expected(40), trigger.due_ms) == (None, None), "nobody has counted"
    trigger.counted(100, 250)
    assert [trigger.expected(records) for records in (100, 200)] == [250, 500]
    trigger.trained(400, 7, began_ms=5_000)
    assert [trigger.expected(records) for records in (400, 440, 10)] == [0, 100, 0]
    assert trigger.due_ms == 65_000
