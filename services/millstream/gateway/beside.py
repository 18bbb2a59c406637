"""What goes on while requests are answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

_AGAIN_S = 0.2


@asynccontextmanager
async def going_on(
    calls: Sequence[Callable[[], Awaitable[None]]],
) -> AsyncIterator[Sequence[asyncio.Future[None]]]:
    """A task each, ended on exit; their failures are for who looks into them."""
    tasks = [asyncio.ensure_future(call()) for call in calls]
    try:
        yield tasks
    finally:
        await _end(tasks)


async def _end(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Cancelled until they have ended: redis-py sends by asyncio.wait_for, which on Python 3.11
    loses a cancellation that comes in the moment in which the sending is done."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_S)
