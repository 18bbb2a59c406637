"""A process kills itself where it was told to: from its start on, or by a signal later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from millstream.domain.failpoints import failpoint
for line in sys.stdin:
    failpoint(line.strip())
    print("passed", flush=True)
"""


def start(**variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def passes(process: subprocess.Popen[str], name: str) -> bool:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{name}\n")
    process.stdin.flush()
    return process.stdout.readline() == "passed\n"


def test_the_third_passage_of_the_named_place_is_the_last() -> None:
    with start(MILLSTREAM_FAILPOINT="here:3") as process:
        assert [passes(process, name) for name in ("here", "there", "here", "here")] == [
            *([True] * 3),
            False,
        ]
        assert process.wait(10) == -signal.SIGKILL


def test_a_process_is_told_later_by_a_file_and_a_signal(tmp_path: Path) -> None:
    order = tmp_path / "order"
    with start(MILLSTREAM_FAILPOINT_FILE=str(order)) as process:
        assert passes(process, "here")
        order.write_text("here:1")
        process.send_signal(signal.SIGURG)
        assert not passes(process, "here")
        assert process.wait(10) == -signal.SIGKILL
