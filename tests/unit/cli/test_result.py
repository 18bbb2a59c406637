"""What an evaluation prints: the figures, and what made them."""

from __future__ import annotations

import json
import time

import pytest

from millstream.cli.result import write_result
from millstream.trainer.spent import spent


def test_a_result_says_what_made_it(capsys: pytest.CaptureFixture[str]) -> None:
    before = spent()
    write_result("evaluate it --seeds 2", range(2), {"recall": 0.5})
    told = json.loads(capsys.readouterr().out)
    assert told["command"] == "millstream evaluate it --seeds 2 --json"
    assert (told["seed"], told["recall"]) == ([0, 1], 0.5)
    assert told["cpu_minutes"] >= round(before.cpu_minutes, 2) > 0
    assert told["peak_gib"] >= round(before.peak_gib, 3) > 0
    assert told["cpus"] > 0
    assert told["system"]


def test_a_part_that_tells_of_itself_is_not_overruled(capsys: pytest.CaptureFixture[str]) -> None:
    write_result("evaluate it", (), {"peak_gib": 2.25})
    assert json.loads(capsys.readouterr().out)["peak_gib"] == 2.25


def test_time_is_that_of_the_cpu_and_memory_is_the_most() -> None:
    before = spent()
    filled = bytearray(b"x") * (64 * 1024**2)
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    after = spent()
    assert after.cpu_minutes - before.cpu_minutes >= 0.05 / 60
    assert after.peak_gib >= before.peak_gib > 0.02
    assert len(filled) > 0
