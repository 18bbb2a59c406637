"""A short run of the fuzzers; `millstream bench fuzz` is the long one."""

from __future__ import annotations

from hypothesis import given
from tests.effort import tries
from tests.fuzz import mutations
from tests.fuzz.properties import INPUT
from tests.fuzz.target import OF_REVIEWS, label_of, seeds

INPUTS = tries(20_000)


def test_any_bytes_are_an_event_a_review_or_a_dead_letter() -> None:
    tally = mutations.run(INPUTS, seed=20261124)
    assert tally.verdicts.total() == INPUTS
    # Chance reaches both sides: an input that is always refused at once would show nothing.
    assert tally.verdicts["accepted"] > INPUTS // 50
    assert tally.verdicts[f"{OF_REVIEWS}accepted"] > INPUTS // 50
    assert len([label for label in tally.verdicts if not label.startswith(OF_REVIEWS)]) > 8
    assert len([label for label in tally.verdicts if label.startswith(OF_REVIEWS)]) > 5


def test_what_was_hard_once() -> None:
    for data in seeds():
        label_of(data)


@given(INPUT)
def test_json_near_an_event_or_a_review(data: bytes) -> None:
    label_of(data)
