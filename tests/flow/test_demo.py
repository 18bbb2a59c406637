"""The demo on its first days: every service as a process, recounted, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from millstream.local.demo import play
from millstream.local.recordings import online_retail

pytestmark = pytest.mark.timeout(150)

FIRST_DAYS = date(2010, 12, 4)


async def test_everything_sent_is_counted_once_and_answered() -> None:
    recording = online_retail(FIRST_DAYS)
    summary = await play(recording, Console(quiet=True), models=0)

    assert summary.accepted == recording.events
    assert (summary.lost, summary.doubled) == (0, 0)
    assert (summary.lost_lines, summary.doubled_lines) == (0, 0)
    assert summary.dead_lettered == 0
    assert summary.shoppers_left_behind == 0
    assert 0 < summary.lists <= recording.events
    assert 0 < summary.event_to_list_p50_ms <= summary.event_to_list_p99_ms
    assert summary.failures(recording.required) == []


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_whatever_ends_it_no_process_and_no_file_stays(
    tmp_path: Path, how: signal.Signals, code: int
) -> None:
    """The command runs in a session of its own, so every process it left would bear that mark."""
    mark = f"DEMO_TEST_RUN={os.getpid()}"
    name, _, value = mark.partition("=")
    environment = {**os.environ, "TMPDIR": str(tmp_path), name: value}
    demo = subprocess.Popen(
        [sys.executable, "-m", "millstream", "demo"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stderr is not None
    too_late = threading.Timer(90, demo.kill)
    too_late.start()
    answering = any("lists;" in line for line in demo.stderr)
    too_late.cancel()
    assert answering, "it ended, or was ended after 90 s, before a list came"
    assert _marked(mark) != []

    demo.send_signal(how)

    assert demo.wait(timeout=30) == code
    demo.stderr.close()
    deadline = time.monotonic() + 10
    while (_marked(mark) or any(tmp_path.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _marked(mark) == []
    assert list(tmp_path.iterdir()) == []


def _marked(mark: str) -> list[str]:
    """Processes, ours left out, that were started with `mark` in their environment."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            environment = (directory / "environ").read_bytes()
            command = (directory / "cmdline").read_bytes().decode(errors="replace")
        except OSError:  # it ended meanwhile, or is not ours to read
            continue
        if mark.encode() in environment.split(b"\0"):
            found.append(command)
    return found
