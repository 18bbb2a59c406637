"""What is read out of py-spy's stacks, and out of a process's sizes."""

from __future__ import annotations

import os

import pytest

from millstream.cli.bench import ROOT, benchmark
from millstream.domain.errors import OperatorError

RAW = """\
run (app.py);handle (pipeline.py);draft (draft.py);rank (rank.py) 6
run (app.py);handle (pipeline.py);publish (publish.py);send (aiokafka/producer/producer.py) 2
run (app.py);_run_once (asyncio/base_events.py) 2
run (app.py);_run_once (asyncio/base_events.py);select (selectors.py) 90
_bootstrap (threading.py);_worker (concurrent/futures/thread.py) 90
"""
STAGES = {"draft.py": "draft", "publish.py": "publish", "aiokafka/producer": "producer"}


def test_samples_go_to_the_stage_that_called_and_waiting_is_none() -> None:
    profile = benchmark("sampled", ROOT).parse(RAW)
    assert profile.stacks.total() == 10
    assert profile.by_stage(STAGES, "rest") == {"draft": 0.6, "publish": 0.2, "rest": 0.2}


def test_functions_are_told_by_their_own_share() -> None:
    profile = benchmark("sampled", ROOT).parse(RAW)
    assert profile.top(2) == [
        ("rank (rank.py)", 0.6, 0.6),
        ("send (aiokafka/producer/producer.py)", 0.2, 0.2),
    ]


def test_growth_leaves_the_warm_up_out() -> None:
    growth = benchmark("soak", ROOT).growth
    assert growth([10] * 20 + [100] * 80) == 0
    assert growth([10] * 20 + [100] * 70 + [110] * 10) == pytest.approx(0.1)
    assert growth([5]) == 0


def test_what_a_process_used_is_told() -> None:
    processes = benchmark("processes", ROOT)
    began = processes.cpu_seconds(os.getpid())
    while processes.cpu_seconds(os.getpid()) == began:
        sum(range(100_000))
    assert processes.resident_bytes(os.getpid()) > 1_000_000
    assert any("python" in name for name in processes.mapped_files(os.getpid()))
    with pytest.raises(OperatorError, match="a process that runs"):
        processes.cpu_seconds(2**22 + 1)
