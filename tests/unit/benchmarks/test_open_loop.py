"""What open-loop latencies are told from: scheduled times, and nothing is left out."""

from __future__ import annotations

import pytest

from millstream.cli.bench import ROOT, benchmark

open_loop = benchmark("open_loop", ROOT)
SINCE_MS = 1_000_000


def seconds(milliseconds: float) -> float:
    return (SINCE_MS + milliseconds) / 1000


def test_latency_counts_from_the_scheduled_time() -> None:
    answers = open_loop.Answers(SINCE_MS)
    for after_ms in range(100):
        answers.sent(SINCE_MS + after_ms)
        answers.came(SINCE_MS + after_ms, seconds(after_ms + (50 if after_ms == 99 else 10)))
    assert answers.ms(50) == pytest.approx(10, rel=0.01)
    assert answers.ms(99.9) == pytest.approx(50, rel=0.01)
    assert answers.give_up(seconds(200)) == 0


def test_what_warmed_up_is_not_told() -> None:
    answers = open_loop.Answers(SINCE_MS)
    answers.sent(SINCE_MS - 1)
    answers.came(SINCE_MS - 1, seconds(500))
    answers.sent(SINCE_MS - 2)
    assert answers.give_up(seconds(600)) == 0
    assert answers.latencies.get_total_count() == 0


def test_an_answer_that_never_came_counts_as_long_as_it_was_waited_for() -> None:
    answers = open_loop.Answers(SINCE_MS)
    for _ in range(3):
        answers.sent(SINCE_MS)
    answers.came(SINCE_MS, seconds(10))
    assert answers.give_up(seconds(2_000)) == 2
    assert answers.ms(50) == pytest.approx(2_000, rel=0.01)
    assert answers.latencies.get_total_count() == 3


def test_an_answer_that_comes_twice_counts_once() -> None:
    answers = open_loop.Answers(SINCE_MS)
    answers.sent(SINCE_MS)
    answers.came(SINCE_MS, seconds(10))
    answers.came(SINCE_MS, seconds(90))
    answers.came(SINCE_MS + 7, seconds(90))
    assert (answers.total, answers.latencies.get_total_count()) == (1, 1)
    assert not answers.waiting
