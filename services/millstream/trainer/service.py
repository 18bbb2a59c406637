"""The trainer's loop: watch the lake, train when it has enough, end when told."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

import structlog

from millstream.trainer.collect import Lake, Window, collect
from millstream.trainer.fitting import Stopped
from millstream.trainer.offload import offload
from millstream.trainer.pipeline import train_version
from millstream.trainer.tools import Tools
from millstream.trainer.trigger import Trigger

_log = structlog.get_logger(__name__)

# Of the 10 s that SIGTERM leaves us; what is not done by then is left behind, and what it wrote
# so far is not a version yet.
_LAST_SECONDS = 6.0


async def serve(lake: Lake, trigger: Trigger, tools: Tools, stop: asyncio.Event) -> None:
    """Until `stop` is set; `tools.stop` must turn true with it. Returns within seconds then."""
    while not stop.is_set():
        work = asyncio.create_task(_turn(lake, trigger, tools))
        ended = asyncio.create_task(stop.wait())
        await asyncio.wait({work, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not work.done():
            await asyncio.wait({work}, timeout=_LAST_SECONDS)
            work.cancel()
        with contextlib.suppress(Stopped, asyncio.CancelledError):
            await work
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), tools.settings.poll_s)


async def _turn(lake: Lake, trigger: Trigger, tools: Tools) -> None:
    """Looks at the lake once; trains if it is time."""
    records = sum((await offload(lake.offsets)).values())
    if not trigger.worth_counting(records):
        return
    found = await offload(partial(collect, lake, tools.settings.window_days, trigger.trained_to_ms))
    records = sum(found.window.offsets.values())
    if not trigger.counted(records, found.count_new(tools.settings.counted_types)):
        return
    await _train(found.window, tools)
    trigger.trained(records, int(found.new_lines["log_ms"][-1]))


async def _train(window: Window, tools: Tools) -> None:
    try:
        await train_version(window, tools)
    except ValueError as error:
        _log.warning("nothing to train on", reason=str(error), lines=window.lines.height)
