"""Starts bare workers by nursery.py, each to be handled like a process of our own."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from millstream.domain.errors import OperatorError

ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
STARTED_WITHIN_S = 60.0
POLL_S = 0.01


class Fork:
    """What subprocess.Popen is to its caller. `wait` blocks."""

    def __init__(self, pid: int, ended: Mapping[int, int]) -> None:
        self.pid = pid
        self._ended = ended

    def poll(self) -> int | None:
        return self._ended.get(self.pid)

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(POLL_S)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # its end is not told yet
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """Begins with the first fork, ends on exit. May be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._started: queue.Queue[int] = queue.Queue()
        self._ended: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._server is not None and self._server.stdin is not None:
            self._server.stdin.close()
            self._server.wait()
            self._listener.join()

    def fork(self, variables: Mapping[str, str], log: Path) -> Fork:
        """Blocks, the first time for as long as the imports take. Raises OperatorError."""
        with self._lock:
            server = self._server or self._start()
            assert server.stdin is not None  # noqa: S101  it is a pipe
            order = {"variables": dict(variables), "log": str(log)}
            try:
                server.stdin.write(json.dumps(order).encode() + b"\n")
                server.stdin.flush()
                return Fork(self._started.get(timeout=STARTED_WITHIN_S), self._ended)
            except (OSError, queue.Empty) as error:
                raise OperatorError(
                    "the fork server of the chaos harness",
                    f"{type(error).__name__}, exit code {server.poll()}",
                    "a fork",
                ) from error

    def _start(self) -> subprocess.Popen[bytes]:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "millstream.local.chaos.nursery"],
            env={**os.environ, **ONE_THREAD},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, args=(self._server,), daemon=True)
        self._listener.start()
        return self._server

    def _listen(self, server: subprocess.Popen[bytes]) -> None:
        assert server.stdout is not None  # noqa: S101  it is a pipe
        with server.stdout as lines:
            for line in lines:
                told = json.loads(line)
                if "started" in told:
                    self._started.put(told["started"])
                else:
                    self._ended[told["ended"]] = told["code"]
