"""How much of the machine a training may take from those who serve beside it."""

from __future__ import annotations

import contextlib
import os

LAST = 19
"""The niceness of who takes only what nobody else wants."""


def bound_cpu(threads: int, niceness: int) -> None:
    """For this process and for good. To be called before Polars and numpy are loaded, which start
    a thread for every core; TensorFlow is told by `train.limit_threads`.

    LAST is by SCHED_IDLE where there is such a thing (sched(7)). A nice process that is at work
    still keeps the CPU for milliseconds from who wakes up, and an event's way to its list wakes up
    many: on two CPUs, beside a training, p99 was 2.0 and 3.8 times what it was alone by a niceness
    of 10, 1.3 and 2.0 times by 19, 1.1 and 1.6 times by SCHED_IDLE (two runs each, in turns)."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
    os.nice(niceness)
    if niceness == LAST and hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):  # a sandbox may not allow it
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
