"""A process under test: started, or forked, with variables of its own, and signalled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import cast

from millstream.domain.errors import OperatorError
from millstream.local.chaos.fork_server import ForkServer
from millstream.local.guard import set_guard
from millstream.local.server import GUARD, LocalServer

FAILPOINT_FILE = "MILLSTREAM_FAILPOINT_FILE"
CLOCK_VARIABLE = "MILLSTREAM_CHAOS_CLOCK_AHEAD_S"
"""Of bare workers: seconds by which their wall clock is ahead (nursery.py)."""


class WorkerProcess(LocalServer):
    name = "worker"
    stop_grace_s = 12.0

    def __init__(self, program: Sequence[str], variables: Mapping[str, str]) -> None:
        super().__init__()
        self._program = program
        self.variables = dict(variables)
        self._failpoint = self.directory / "failpoint"

    def command(self) -> list[str]:
        return [sys.executable, *self._program]

    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.variables, FAILPOINT_FILE: str(self._failpoint)}

    def answers(self) -> bool:
        return self.alive

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def arm(self, order: str) -> None:
        """It kills itself at a named place (domain/failpoints.py); "": nowhere."""
        self._failpoint.write_text(order)
        self.signal(signal.SIGURG)


class ForkedWorker(WorkerProcess):
    def __init__(self, forks: ForkServer, variables: Mapping[str, str]) -> None:
        super().__init__((), variables)
        self._forks = forks

    def start(self) -> None:
        if self._server is not None:
            raise OperatorError(self.name, f"a start while pid {self.pid} runs", "a stop before it")
        fork = self._forks.fork(self.environment(), self.log_path)
        self._server = cast("subprocess.Popen[bytes]", fork)  # it does what is asked of one here
        self._guard = set_guard(GUARD, str(fork.pid), str(self.directory))
