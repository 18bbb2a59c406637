"""Bare workers as forks of one process that has all imports behind it: a start then costs some
milliseconds of this machine instead of more than a second, and a kill is what it was.

This module is the program; fork_server.py is how it is spoken to. On its input come orders, a line
of JSON each; on its output go `started` and `ended`. It ends, and its forks with it, when its input
does."""

from __future__ import annotations

import gc
import importlib
import json
import os
import random
import selectors
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from millstream.domain import failpoints
from millstream.local.chaos import bare_worker
from millstream.local.chaos.worker_process import CLOCK_VARIABLE

READ_BYTES = 65_536
_TASKS = Path("/proc/self/task")


def serve() -> None:
    """Raises RuntimeError where an import left a thread behind, which no fork would have."""
    if _TASKS.exists() and len(list(_TASKS.iterdir())) > 1:
        raise RuntimeError("a process with more than one thread can't be forked safely")
    gc.freeze()
    woken, wakes = os.pipe()
    for end in (woken, wakes):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes)
    living: set[int] = set()
    try:
        for order in _orders(woken, living):
            pid = os.fork()
            if pid == 0:
                os._exit(_live(order))
            living.add(pid)
            _tell(started=pid)
    finally:
        for pid in living:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _orders(woken: int, living: set[int]) -> Iterator[dict[str, Any]]:
    """Until the input ends; tells of every child that ended meanwhile."""
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    rest = b""
    while True:
        ready = {key.fd for key, _ in selector.select()}
        if woken in ready:
            os.read(woken, READ_BYTES)
            _reap(living)
        if 0 in ready:
            more = os.read(0, READ_BYTES)
            if not more:
                return
            *lines, rest = (rest + more).split(b"\n")
            yield from map(json.loads, lines)


def _reap(living: set[int]) -> None:
    while living:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        living.discard(pid)
        _tell(ended=pid, code=os.waitstatus_to_exitcode(status))


def _tell(**what: int) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _live(order: dict[str, Any]) -> int:
    """The fork: as if it had been started with these variables. Returns the exit code."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["variables"])
    random.seed()
    importlib.reload(failpoints)  # it reads its variables when it is imported
    _set_clock(int(os.environ.get(CLOCK_VARIABLE, "0")))
    code = bare_worker.run()
    sys.stdout.flush()
    return code


def _set_clock(ahead_s: int) -> None:
    """The wall clock of this process, as far as Python asks for it; the monotonic one stays."""
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + ahead_s
    time.time_ns = lambda: nanoseconds() + ahead_s * 1_000_000_000


if __name__ == "__main__":
    serve()
