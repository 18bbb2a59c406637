"""A short run of the fuzzers; `millstream bench fuzz` is the long one."""

from __future__ import annotations

from hypothesis import given
from tests.effort import tries
from tests.fuzz import mutations
from tests.fuzz.properties import INPUT
from tests.fuzz.target import record_of, seeds, verdict_of

INPUTS = tries(20_000)


def test_any_bytes_are_an_event_or_a_dead_letter() -> None:
    tally = mutations.run(INPUTS, seed=20261124)
    assert tally.verdicts.total() == INPUTS
    # Chance reaches both sides: an input that is always refused at once would show nothing.
    assert tally.verdicts["accepted"] > INPUTS // 50
    assert len(tally.verdicts) > 8


def test_what_was_hard_once() -> None:
    for data in seeds():
        verdict_of(record_of(data))


@given(INPUT)
def test_json_near_an_event(data: bytes) -> None:
    verdict_of(record_of(data))
