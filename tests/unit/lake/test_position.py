"""When the log and the files do not fit together the lake stops and says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiokafka import TopicPartition

from millstream.domain.errors import Halt
from millstream.domain.log import LogRecord
from millstream.lake.position import Witness, starting_offset
from millstream.stores.lake import blanked

PLACE = TopicPartition("t", 3)


@pytest.mark.parametrize(
    ("stored", "log_start", "at_log_start", "expected"),
    [
        (None, 0, False, 0),
        (None, 0, True, 0),
        (None, 40, True, 40),
        (50, 40, False, 50),
        (40, 40, False, 40),
    ],
)
def test_where_it_goes_on(
    stored: int | None, log_start: int, at_log_start: bool, expected: int
) -> None:
    assert starting_offset(PLACE, stored, log_start, at_log_start) == expected


@pytest.mark.parametrize(
    ("stored", "at_log_start", "remedy"),
    [(39, False, "another lake"), (39, True, "another lake"), (None, False, "log-start")],
)
def test_retention_that_passed_the_lake_halts(
    stored: int | None, at_log_start: bool, remedy: str
) -> None:
    with pytest.raises(Halt, match=f"partition 3.*starts at 40.*{remedy}"):
        starting_offset(PLACE, stored, 40, at_log_start)


def test_the_last_stored_record_is_met_again_and_not_taken_twice() -> None:
    last, following = (LogRecord("t", 3, offset, 7, b"k", b"v") for offset in (9, 10))
    assert Witness(last).check([last, following]) == [following]
    assert Witness(last).check([]) == []


@pytest.mark.parametrize(
    "found",
    [
        LogRecord("t", 3, 9, 7, b"k", b"other"),
        LogRecord("t", 3, 9, 8, b"k", b"v"),
        LogRecord("t", 3, 10, 7, b"k", b"v"),
    ],
)
def test_another_record_in_its_place_halts(found: LogRecord) -> None:
    with pytest.raises(Halt, match="created anew or truncated"):
        Witness(LogRecord("t", 3, 9, 7, b"k", b"v")).check([found])


def test_a_record_that_was_forgotten_is_met_by_its_place_and_time() -> None:
    said = LogRecord("t", 3, 9, 7, b"k", b"v", (("h", b"1"),))
    following = LogRecord("t", 3, 10, 7, b"k", b"v")
    assert Witness(blanked(said)).check([said, following]) == [following]
    for other in (replace(said, log_ms=8), replace(said, offset=10)):
        with pytest.raises(Halt, match="created anew or truncated"):
            Witness(blanked(said)).check([other, following])
