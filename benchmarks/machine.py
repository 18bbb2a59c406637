"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from millstream.trainer.code_version import code_version


def machine() -> dict[str, str | int | float]:
    """`code`: as in a version's manifest. `load_average`: over the last minute, how busy others
    kept the machine before."""
    return {
        "code": code_version(),
        "cpus": os.cpu_count() or 0,
        "cpu_model": _cpu_model(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def _cpu_model() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
