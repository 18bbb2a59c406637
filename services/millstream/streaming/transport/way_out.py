"""A process that has begun to end does end: what it waits for may never come."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import structlog

EXIT_SECONDS = 10.0
LOOK_SECONDS = 0.5
HALTED = 70

log = structlog.get_logger()


def leave_in_time(is_ending: Callable[[], bool]) -> None:
    """Starts a thread that ends the process with 70 where it is still there EXIT_SECONDS after
    `is_ending`: a client that can't close, because its broker or its loop is gone, must not keep a
    supervisor from starting the next one. Nothing is lost by it, as by no kill -9."""
    threading.Thread(target=_watch, args=(is_ending,), name="way out", daemon=True).start()


def _watch(is_ending: Callable[[], bool]) -> None:
    while not is_ending():
        time.sleep(LOOK_SECONDS)
    time.sleep(EXIT_SECONDS)
    log.error("stopped", why=f"it did not end by itself within {EXIT_SECONDS:g} s")
    os._exit(HALTED)
