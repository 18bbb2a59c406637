"""What a process used, as Linux counts it; and waiting for what others do."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from millstream.domain.errors import OperatorError

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads. Raises OperatorError without such a process."""
    fields = _proc(pid, "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_bytes(pid: int) -> int:
    """Raises OperatorError without such a process."""
    return int(_proc(pid, "statm").split()[1]) * _PAGE


def peak_bytes(pid: int) -> int:
    """The most resident memory that it has had. Raises OperatorError without such a process."""
    lines = _proc(pid, "status").splitlines()
    [kib] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(kib) * 1024


def mapped_files(pid: int) -> set[str]:
    """Libraries that were loaded are among them. Raises OperatorError without such a process."""
    lines = _proc(pid, "maps").splitlines()
    return {fields[5] for line in lines if len(fields := line.split(maxsplit=5)) == 6}


def _proc(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError as error:
        raise OperatorError(
            f"/proc/{pid}/{name}", str(error.strerror), "a process that runs, on Linux"
        ) from None


async def until(
    reached: Callable[[], Awaitable[bool]], wanted: str, deadline_s: float, poll_s: float = 0.05
) -> float:
    """Returns time.monotonic() of the look that found it so. Raises OperatorError after
    `deadline_s`, and what `reached` raises."""
    deadline = time.monotonic() + deadline_s
    while not await reached():
        if time.monotonic() > deadline:
            raise OperatorError("the run", f"not there after {deadline_s:g} s", wanted)
        await asyncio.sleep(poll_s)
    return time.monotonic()
