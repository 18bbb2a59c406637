"""The trainer's progress passed on while it works, for the gateway to show."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from msgspec.structs import replace

from millstream.domain.clock import Clock, as_datetime
from millstream.domain.training import Step, TrainingState
from millstream.stores.redis import TROUBLE
from millstream.stores.training_states import Told, TrainingStates
from millstream.trainer.progress import Progress

LOOK_S = 0.5
REPEAT_S = 10.0
"""After so long what has not changed is told again: whoever reads it sees that we live."""
_LAST_S = 1.0

_log = structlog.get_logger(__name__)


Put = Callable[[TrainingState], Awaitable[None]]


@asynccontextmanager
async def telling(
    progress: Progress, states: TrainingStates, name: tuple[str, str], clock: Clock
) -> AsyncIterator[None]:
    """Passes it on while the body runs, and then that the trainer has ended. `name`: tenant and
    model. Where Redis takes nothing nobody is told, and the training goes on."""

    async def put(state: TrainingState) -> None:
        await states.put(*name, Told(as_datetime(clock()), state))

    task = asyncio.create_task(_tell_on(progress, put), name="telling")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        ended = replace(progress.state, step=Step.WAITING, at_work=False)
        with contextlib.suppress(*TROUBLE, TimeoutError):
            await asyncio.wait_for(put(ended), _LAST_S)


async def _tell_on(progress: Progress, put: Put) -> None:
    told, is_taken = None, True
    last_s = -REPEAT_S
    while True:
        state, now_s = progress.state, time.monotonic()
        if state is not told or now_s - last_s >= REPEAT_S:
            try:
                await put(state)
                told, last_s, is_taken = state, now_s, True
            except TROUBLE as error:
                if is_taken:
                    _log.warning("progress is not passed on", kind=type(error).__name__)
                is_taken = False
        await asyncio.sleep(LOOK_S)
