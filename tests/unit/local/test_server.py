from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from millstream.domain.errors import OperatorError
from millstream.local.server import LocalServer


class Shell(LocalServer):
    """Ready once its script has written its own pid to the file `up`."""

    name = "a shell"
    start_deadline_s = 5.0
    stop_grace_s = 0.3

    def __init__(self, script: str = "echo $$ > up; exec sleep 60") -> None:
        super().__init__()
        self.script = script

    def command(self) -> list[str]:
        return ["/bin/sh", "-c", self.script]

    def answers(self) -> bool:
        up = self.directory / "up"
        return up.exists() and up.read_text().strip() == str(self.pid)


def gone(pid: int) -> bool:
    """True also for a dead process that its adoptive parent has yet to reap."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text()  # of no use elsewhere, nor needed there
    except ProcessLookupError:
        return True
    except FileNotFoundError:
        return sys.platform == "linux"
    return state.rpartition(")")[2].split()[0] == "Z"


def eventually(condition: Callable[[], bool], within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_start_and_stop_alternate_on_one_directory() -> None:
    with Shell("echo line >> kept; echo $$ > up; exec sleep 60") as server:
        first = server.pid
        server.stop()
        assert gone(first)
        assert not server.alive
        server.start()
        assert server.pid != first
        server.kill()
        server.start()
        assert len((server.directory / "kept").read_text().splitlines()) == 3
        last = server.pid
    assert gone(last)
    assert not server.directory.exists()


def test_a_server_that_ends_is_told_with_the_end_of_its_log() -> None:
    server = Shell("for n in $(seq 30); do echo line $n; done; exit 7")
    with pytest.raises(OperatorError, match=r"exit code 7 while starting(?s:.*)line 30") as told:
        server.start()
    assert "line 15\n" not in str(told.value), "the whole log was shown"
    server.close()


def test_a_server_that_never_answers_is_ended_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Shell, "start_deadline_s", 0.2)
    server = Shell("echo $$ > pid; exec sleep 60")
    with pytest.raises(OperatorError, match="no answer within"):
        server.start()
    assert gone(int((server.directory / "pid").read_text()))
    server.close()


def test_a_server_deaf_to_the_orderly_way_is_killed() -> None:
    with Shell("trap '' TERM; echo $$ > up; while :; do sleep 0.05; done") as server:
        pid = server.pid
    assert gone(pid)


def test_a_second_start_is_refused_and_a_second_stop_is_not() -> None:
    with Shell() as server:
        with pytest.raises(OperatorError, match="a stop before it"):
            server.start()
        server.stop()
        server.stop()
        with pytest.raises(OperatorError, match="not running"):
            _ = server.pid


PARENT = """
import sys
sys.path[:0] = {path!r}
from test_server import Shell
server = Shell()
server.start()
print(server.pid, server.directory, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_dies_with_a_parent_that_vanishes(how: signal.Signals) -> None:
    script = PARENT.format(path=[str(Path(__file__).parent)])
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        word, directory = parent.stdout.readline().split()
        pid = int(word)
        assert not gone(pid)
        parent.send_signal(how)
    assert eventually(lambda: gone(pid)), f"pid {pid} outlived its parent"
    assert eventually(lambda: not Path(directory).exists()), f"{directory} was left behind"
