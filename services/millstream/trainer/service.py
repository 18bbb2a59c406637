"""A trainer's loop: one look after the other at what has come, until told to end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from millstream.trainer.fitting import Stopped

# Of the 10 s that SIGTERM leaves us; what is not done by then is left behind, and what it wrote
# so far is not a version yet.
_LAST_SECONDS = 6.0

T = TypeVar("T")
Turn = Callable[[], Coroutine[Any, Any, None]]
"""Looks once, and trains if it is time."""


async def unless_told(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """None where `stop` was set first; `work` is cancelled then, and has ended."""
    task, ended = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.cancel()
        task.cancel()
    await asyncio.wait({task})
    return None if task.cancelled() else task.result()


async def serve(turn: Turn, poll_s: float, stop: asyncio.Event, *, once: bool = False) -> None:
    """Until `stop` is set, or for one turn; what a training asks whether to go on must say so too.
    Returns within seconds then."""
    while not stop.is_set():
        work = asyncio.create_task(turn())
        ended = asyncio.create_task(stop.wait())
        await asyncio.wait({work, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not work.done():
            await asyncio.wait({work}, timeout=_LAST_SECONDS)
            work.cancel()
        with contextlib.suppress(Stopped, asyncio.CancelledError):
            await work
        if once:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), poll_s)
