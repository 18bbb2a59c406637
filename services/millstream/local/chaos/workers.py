"""The workers under test, as processes: started, broken, started again, and whether they halted."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from millstream.local.chaos.bare_worker import HALTED, PARTITIONS_VARIABLE
from millstream.local.chaos.fork_server import ForkServer
from millstream.local.chaos.worker_process import ForkedWorker, WorkerProcess

FAUST = ("-m", "millstream", "recommender")
LAKE = ("-m", "millstream", "lake")
INSIGHTS = ("-m", "millstream", "insights")
WATCH_S = 0.1
RESTART_PAUSE_S = 0.5


@dataclass
class Member:
    process: WorkerProcess
    since: float = 0.0
    """Monotonic: the last start."""
    leaving: bool = False
    """Nobody starts it again."""
    last_exit: int | None = None
    """How it ended before it was started again."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is started again after it ended; cleared by who waits for that."""

    def died_of(self, number: signal.Signals) -> bool:
        return self.last_exit == -number

    async def start(self) -> None:
        self.since = time.monotonic()
        await asyncio.to_thread(self.process.start)

    async def kill(self) -> None:
        await asyncio.to_thread(self.process.kill)


@dataclass
class Crew:
    """`size` members share the partitions: by their group without `forks`, else in equal parts.
    While `held`, who ends stays down, so that halts can be counted."""

    forks: ForkServer | None
    """Of bare workers; None: `program`, whose members share by their group."""
    variables: Mapping[str, str]
    partitions: int
    size: int = 2
    program: Sequence[str] = FAUST
    members: list[Member] = field(default_factory=list)
    exits: Counter[str] = field(default_factory=Counter)
    held: bool = False
    zombies: list[Member] = field(default_factory=list)
    others: list[Member] = field(default_factory=list)
    """Not under test as `members` are, but started again as they are."""

    @property
    def bare(self) -> bool:
        return self.forks is not None

    async def start(self) -> None:
        for number in range(self.size):
            await self.add(self._parts(number))
        for member in self.members:
            await member.start()

    async def add(self, parts: str = "") -> Member:
        """A member that is not started yet."""
        if self.forks is None:
            process = WorkerProcess(self.program, self.variables)
        else:
            mine = {**self.variables, PARTITIONS_VARIABLE: parts}
            process = ForkedWorker(self.forks, mine)
        member = Member(process)
        self.members.append(member)
        return member

    def beside(self, program: Sequence[str], variables: Mapping[str, str]) -> Member:
        """One of the others, not started yet."""
        member = Member(WorkerProcess(program, variables))
        self.others.append(member)
        return member

    def _parts(self, number: int) -> str:
        return ",".join(str(p) for p in range(self.partitions) if p % self.size == number)

    async def supervise(self) -> None:
        """For ever: starts again who ended."""
        while True:
            await asyncio.sleep(WATCH_S)
            for member in [*self.members, *self.others]:
                code = member.process.exit_code
                if self.held or member.leaving or not member.process.started or code is None:
                    continue
                if time.monotonic() - member.since < RESTART_PAUSE_S:
                    continue
                await self.revive(member)

    async def revive(self, member: Member) -> None:
        code = member.process.exit_code
        if code is None:
            return
        self.exits["halted" if code == HALTED else f"exit {code}"] += 1
        member.last_exit = code
        member.ended.set()
        await member.kill()  # what is left of it: the guard
        await member.start()

    async def halted(self, within_s: float) -> int:
        """How many members had not halted by themselves, with the exit code that says so, after
        so long."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            codes = [member.process.exit_code for member in self.members]
            if all(code == HALTED for code in codes):
                return 0
            await asyncio.sleep(WATCH_S)
        return sum(member.process.exit_code != HALTED for member in self.members)

    async def roll(self) -> None:
        """A rolling restart: one after the other is asked to end, and started again."""
        for member in list(self.members):
            member.leaving = True  # nobody else is to start it meanwhile
            await asyncio.to_thread(member.process.stop)
            await member.start()
            member.leaving = False

    def keep_logs(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for number, member in enumerate(self._everyone()):
            shutil.copy(member.process.log_path, folder / f"worker-{number}.log")

    async def close(self) -> None:
        everyone = self._everyone()
        for member in everyone:
            if member.process.alive:
                member.process.signal(signal.SIGCONT)
        await asyncio.gather(*(member.kill() for member in everyone))
        for member in everyone:
            await asyncio.to_thread(member.process.close)
        self.members.clear()
        self.zombies.clear()
        self.others.clear()

    def _everyone(self) -> list[Member]:
        return [*self.members, *self.zombies, *self.others]
