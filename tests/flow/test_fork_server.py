"""A fork is handled as a process that was started: its variables, its log, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.domain.clock import wall_clock
from millstream.local.chaos import nursery
from millstream.local.chaos.bare_worker import HALTED, PARTITIONS_VARIABLE
from millstream.local.chaos.fork_server import ForkServer

WITHIN_S = 60.0
NOWHERE = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    PARTITIONS_VARIABLE: "0",
}


@pytest.fixture(scope="module")
def forks() -> Iterator[ForkServer]:
    with ForkServer() as server:
        yield server


def test_a_worker_that_can_not_begin_ends_as_one_that_was_started(
    forks: ForkServer, tmp_path: Path
) -> None:
    worker = forks.fork({**os.environ, **NOWHERE}, tmp_path / "log")
    assert worker.wait(WITHIN_S) == HALTED
    assert "bare worker stopped" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_that_ends_it_is_told(
    forks: ForkServer, tmp_path: Path, number: signal.Signals
) -> None:
    worker = forks.fork({**os.environ, **NOWHERE}, tmp_path / "log")
    worker.send_signal(signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(0.2)
    worker.send_signal(number)
    worker.send_signal(signal.SIGCONT)
    assert worker.wait(WITHIN_S) in {-number, HALTED}
    assert worker.poll() == worker.returncode


def test_forks_end_with_the_server(tmp_path: Path) -> None:
    with ForkServer() as server:
        worker = server.fork({**os.environ, **NOWHERE}, tmp_path / "log")
        worker.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        try:
            os.kill(worker.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the fork outlived its server")


@pytest.mark.parametrize("ahead_s", [3_600, -3_600])
def test_a_wall_clock_that_is_off_is_off_alone(
    monkeypatch: pytest.MonkeyPatch, ahead_s: int
) -> None:
    for name in ("time", "time_ns"):
        monkeypatch.setattr(time, name, getattr(time, name))  # put back afterwards
    before_ms, before_s, steady = wall_clock(), time.time(), time.monotonic()
    nursery._set_clock(ahead_s)
    assert 0 <= wall_clock() - before_ms - ahead_s * 1000 < 60_000
    assert 0 <= time.time() - before_s - ahead_s < 60
    assert 0 <= time.monotonic() - steady < 60
