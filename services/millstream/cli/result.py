"""One JSON object a run: its figures and what made them, as benchmarks/results/ keeps them."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from millstream.trainer.code_version import code_version
from millstream.trainer.spent import spent


class Asked(NamedTuple):
    """What `write_result` tells of how a result was made."""

    command: str
    seed: Iterable[int] = ()


def write_result(command: str, seed: Iterable[int], found: dict[str, Any]) -> None:
    """`command`: after `millstream`. `seed`: none where no chance is involved. CPU minutes and peak
    memory are those of the whole run, unless `found` tells of a part of it."""
    took = spent()
    told = {
        "command": f"millstream {command} --json",
        "seed": list(seed),
        "cpu_minutes": round(took.cpu_minutes, 2),
        "peak_gib": round(took.peak_gib, 3),
        **found,
        "code": code_version(),
        "cpus": os.cpu_count(),
        "system": platform.platform(),
    }
    sys.stdout.write(json.dumps(told) + "\n")
