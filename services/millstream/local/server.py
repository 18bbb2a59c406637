"""One server as our child: started, proved ready, stopped or killed, and never outliving us."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from millstream.domain.errors import OperatorError
from millstream.local.guard import dismiss, set_guard

# Ends with the line it is sent; when the pipe closes without one, the server and its files go.
GUARD = 'read -r _ || { kill -9 "$0"; rm -rf "$1"; }'
POLL_S = 0.02


class LocalServer(ABC):
    """`start` and `stop` (or `kill`) alternate as often as wished on one directory and port;
    `close` stops and removes the directory. All of them block.

    The server has its own session: Ctrl-C in a terminal then reaches our command alone, which
    stops its workers before their servers. A guard (guard.py) ends the server and its files when
    we vanish without a word (kill -9).
    PR_SET_PDEATHSIG would be shorter, but it fires when the *thread* that started the server
    ends, and only on Linux."""

    name: ClassVar[str]
    start_deadline_s: ClassVar[float] = 60.0
    stop_grace_s: ClassVar[float] = 20.0

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="millstream-"))
        self.log_path = self.directory / "server.log"
        self._server: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Program and arguments; called at each start."""

    def environment(self) -> dict[str, str] | None:
        """The process's environment; None: ours."""
        return None

    @abstractmethod
    def answers(self) -> bool:
        """Whether it does its work now; an open port is not enough."""

    def prepare(self) -> None:  # noqa: B027  most servers need nothing
        """What has to be done once before the first start."""

    @property
    def pid(self) -> int:
        """Raises OperatorError when the server is not running."""
        if self._server is None:
            raise OperatorError(self.name, "a server that is not running", "one that was started")
        return self._server.pid

    @property
    def started(self) -> bool:
        """True from `start` to `stop`, `kill` or `close`, also when it died by itself."""
        return self._server is not None

    @property
    def alive(self) -> bool:
        return self._server is not None and self._server.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of a server that ended by itself; negative: minus the signal that ended it."""
        return None if self._server is None else self._server.poll()

    def start(self) -> None:
        """Returns when the server answers.

        Raises OperatorError with the end of the log when it does not in `start_deadline_s`."""
        if self._server is not None:
            raise OperatorError(self.name, f"a start while pid {self.pid} runs", "a stop before it")
        self.prepare()
        with self.log_path.open("ab") as log:
            self._server = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=self.environment(),
                start_new_session=True,
            )
        try:
            self._guard = set_guard(GUARD, str(self._server.pid), str(self.directory))
            self._await_answer(time.monotonic() + self.start_deadline_s)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """The orderly way; a server deaf to it for `stop_grace_s` is killed. Twice is harmless."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As kill -9 does it: nothing is flushed or said to clients."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of what the server wrote, from the last 64 KiB of its log."""
        if not self.log_path.exists():
            return ""
        with self.log_path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 65_536))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])

    def said(self, text: str) -> bool:
        """Whether it stands in the log."""
        return self.log_path.exists() and text.encode() in self.log_path.read_bytes()

    def _await_answer(self, deadline: float) -> None:
        while not self.answers():
            if not self.alive:
                code = self._server.returncode if self._server else None
                raise self._not_up(f"exit code {code} while starting")
            if time.monotonic() > deadline:
                raise self._not_up(f"no answer within {self.start_deadline_s:.0f} s")
            time.sleep(POLL_S)

    def _not_up(self, given: str) -> OperatorError:
        return OperatorError(
            self.name, given, "a server that answers", f"Its log ends with:\n{self.log_tail()}"
        )

    def _end(self, how: signal.Signals) -> None:
        if self._server is None:
            return
        self._server.send_signal(how)
        try:
            self._server.wait(self.stop_grace_s)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._server = None
        if self._guard is not None:
            dismiss(self._guard)
            self._guard = None
