"""The parts of a rebuild side by side, each in a process of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from millstream.domain.errors import Halt, OperatorError
from millstream.rebuild.pace import Pace
from millstream.rebuild.part import Job, main, rebuild_part

POLL_S = 0.1
END_S = 10.0

CONTEXT = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class _Running:
    process: SpawnProcess
    told: Connection


async def run_all(jobs: Sequence[Job], pace: Pace, done: Callable[[int], None]) -> None:
    """One job runs in this process. `done` is told every moment how many offsets are counted.
    Raises Halt with what ended a part; the others are ended with it."""
    if len(jobs) == 1:
        await _run_here(jobs[0], pace, done)
        return
    running = [_start(job, pace) for job in jobs]
    try:
        while any(one.process.is_alive() for one in running):
            _raise_failed(running)
            done(pace.done)
            await asyncio.sleep(POLL_S)
        _raise_failed(running)
        done(pace.done)
    finally:
        await asyncio.to_thread(_end, running)


async def _run_here(job: Job, pace: Pace, done: Callable[[int], None]) -> None:
    work = asyncio.ensure_future(rebuild_part(job, pace))
    try:
        while not work.done():
            await asyncio.wait([work], timeout=POLL_S)
            done(pace.done)
        await work
    finally:
        work.cancel()
        await asyncio.wait([work])


def _start(job: Job, pace: Pace) -> _Running:
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=main, args=(job, pace, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Running(process, ours)


def _raise_failed(running: Sequence[_Running]) -> None:
    for one in running:
        if one.process.is_alive():
            continue
        try:
            why = one.told.recv() if one.told.poll() else ""
        except EOFError:
            why = ""
        if why:
            raise Halt(why)
        if one.process.exitcode:
            raise OperatorError(
                "a process of the rebuild",
                f"one that ended with code {one.process.exitcode}",
                "one that reads to the end",
                "What is counted stands: run `millstream rebuild --resume`; a record that kills "
                "whoever reads it is then set apart. Where it ends so again, a file of the lake "
                "may be damaged: see deploy/runbooks/lake-behind.md",
            )


def _end(running: Sequence[_Running]) -> None:
    for one in running:
        one.process.terminate()
    for one in running:
        one.process.join(END_S)
        if one.process.is_alive():
            one.process.kill()
            one.process.join()
        one.told.close()
