"""A process that hangs on its way out is ended."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import time
from millstream.streaming.transport import way_out
way_out.EXIT_SECONDS, way_out.LOOK_SECONDS = {seconds}, 0.01
began = time.monotonic()
way_out.leave_in_time(lambda: time.monotonic() > began + 0.05)
time.sleep({sleeps})
"""


def end_of(seconds: float, sleeps: float) -> int:
    program = PROGRAM.format(seconds=seconds, sleeps=sleeps)
    return subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode


def test_one_that_hangs_is_ended_with_70() -> None:
    assert end_of(seconds=0.1, sleeps=50) == 70


def test_one_that_ends_by_itself_is_left_alone() -> None:
    assert end_of(seconds=40, sleeps=0.2) == 0
