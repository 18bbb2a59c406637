"""How much of the machine a training may take from those who serve beside it."""

from __future__ import annotations

import os


def bound_cpu(threads: int, niceness: int) -> None:
    """For this process and for good. To be called before Polars and numpy are loaded, which start
    a thread for every core; TensorFlow is told by `train.limit_threads`."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
    os.nice(niceness)
