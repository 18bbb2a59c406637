"""What a run has taken of the machine so far."""

from __future__ import annotations

import resource
import sys
from typing import NamedTuple


class Spent(NamedTuple):
    """CPU time of this process, all its threads, and of those that it has waited for; the most
    memory that one of them has held."""

    cpu_minutes: float
    peak_gib: float


def spent() -> Spent:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(one.ru_utime + one.ru_stime for one in used)
    unit = 1 if sys.platform == "darwin" else 1024
    return Spent(seconds / 60, max(one.ru_maxrss for one in used) * unit / 1024**3)
