"""Where a process spends its CPU time: py-spy looks at it, RATE times a second."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from millstream.domain.errors import OperatorError

RATE = 100
ATTACHED_S = 30.0
ENDED_S = 60.0

WAITING = (
    "select (selectors.py)",
    "_worker (concurrent/futures/thread.py)",
    "wait (threading.py)",
    "_watch (millstream/streaming/transport/way_out.py)",
)
"""Innermost frames of threads that wait; py-spy takes them for busy ones where the system does not
tell it. What little the system calls themselves cost is left out with them."""

Stack = tuple[str, ...]
"""Frames from the outermost on, each `function (file)`."""


@dataclass
class Profile:
    """Samples by stack, of threads that were on a CPU."""

    stacks: Counter[Stack] = field(default_factory=Counter)

    def by_stage(self, stages: Mapping[str, str], other: str) -> dict[str, float]:
        """Shares that sum up to 1. `stages`: part of a frame -> stage; of several the outermost
        frame decides: what a stage calls is its own."""
        found: Counter[str] = Counter()
        for stack, samples in self.stacks.items():
            hits = (stages[mark] for frame in stack for mark in stages if mark in frame)
            found[next(hits, other)] += samples
        total = found.total() or 1
        return {name: round(samples / total, 4) for name, samples in found.most_common()}

    def top(self, most: int) -> list[tuple[str, float, float]]:
        """(frame, share of its own, share with what it called), by the share of its own."""
        own, within = Counter[str](), Counter[str]()
        for stack, samples in self.stacks.items():
            own[stack[-1]] += samples
            for frame in set(stack):
                within[frame] += samples
        total = own.total() or 1
        rows = own.most_common(most)
        return [(frame, samples / total, within[frame] / total) for frame, samples in rows]


def parse(raw: str) -> Profile:
    """What `py-spy record --format raw` writes: frames with `;` between them, a blank, a number."""
    profile = Profile()
    for line in raw.splitlines():
        frames, _, samples = line.rpartition(" ")
        if frames and not frames.endswith(WAITING):
            profile.stacks[tuple(frames.split(";"))] += int(samples)
    return profile


def program() -> str:
    """Raises OperatorError without py-spy."""
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if found is None:
        raise OperatorError(
            "py-spy", "none", "the development dependencies", "Run `make test` once"
        )
    return found


@asynccontextmanager
async def sampling(pid: int) -> AsyncIterator[Profile]:
    """Entered once py-spy looks; the profile has its samples when the block is left. It costs the
    process some percent. Raises OperatorError with py-spy's words where it may not look."""
    profile = Profile()
    with tempfile.TemporaryDirectory() as home:
        raw = Path(home) / "stacks"
        words = ["record", "--pid", str(pid), "--format", "raw", "--output", str(raw)]
        words += ["--rate", str(RATE), "--duration", "unlimited", "--nolineno"]
        spy = await asyncio.create_subprocess_exec(
            program(), *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            await _attached(spy)
            yield profile
        finally:
            if spy.returncode is None:
                spy.send_signal(signal.SIGINT)
            said, _ = await asyncio.wait_for(spy.communicate(), ENDED_S)
        if not raw.exists():
            raise _refused(said)
        profile.stacks.update(parse(raw.read_text()).stacks)


async def _attached(spy: asyncio.subprocess.Process) -> None:
    """Its first words are that it samples, or why it does not."""
    said = b""
    if spy.stdout is not None:
        said = await asyncio.wait_for(spy.stdout.readline(), ATTACHED_S)
    if b"Sampling" not in said:
        raise _refused(said)


def _refused(said: bytes) -> OperatorError:
    return OperatorError("py-spy", said.decode().strip()[-400:], "a process it may look at")
