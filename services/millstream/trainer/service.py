"""The trainer's loop: watch the lake, train when it has enough, end when told."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

import structlog

from millstream.streaming.offload import offload
from millstream.trainer.champion import champion_of
from millstream.trainer.collect import Lake, Window, collect
from millstream.trainer.encode import NothingToTrainOn
from millstream.trainer.fitting import Stopped
from millstream.trainer.pipeline import train_version
from millstream.trainer.tools import Tools
from millstream.trainer.trigger import Trigger, Why

_log = structlog.get_logger(__name__)

# Of the 10 s that SIGTERM leaves us; what is not done by then is left behind, and what it wrote
# so far is not a version yet.
_LAST_SECONDS = 6.0


async def serve(
    lake: Lake, trigger: Trigger, tools: Tools, stop: asyncio.Event, *, once: bool = False
) -> None:
    """Until `stop` is set, or for one look at the lake; `tools.stop` must turn true with it.
    Returns within seconds then."""
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
        if once:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), tools.settings.poll_s)


async def _turn(lake: Lake, trigger: Trigger, tools: Tools) -> None:
    """Looks at the lake once; trains if it is time."""
    began_ms = tools.clock()
    records = sum((await offload(lake.offsets)).values())
    tools.progress.waits(trigger, records)
    why = trigger.due(began_ms)
    if why is None and not trigger.worth_counting(records):
        return
    looks_for_drift = trigger.looks_for_drift(records)
    found = await offload(partial(collect, lake, tools.settings.window_days, trigger.trained_to_ms))
    records = sum(found.window.offsets.values())
    are_enough = trigger.counted(records, found.count_new(tools.settings.counted_types))
    tools.progress.waits(trigger, records)
    if are_enough:
        why = Why.LINES
    elif why is Why.TIME and found.new_lines.is_empty():
        return
    elif why is None and looks_for_drift and await _has_drifted(found.window, tools):
        why = Why.DRIFT
    if why is not None:
        await _train(found.window, tools, why)
        trigger.trained(records, found.window.last_log_ms, began_ms)
        tools.progress.waits(trigger, records)


async def _has_drifted(window: Window, tools: Tools) -> bool:
    settings, champion = tools.settings, await champion_of(tools)
    found = await offload(partial(champion.drift, window.lines, settings.recent_items))
    _log.info("drift", **{name: round(value, 3) for name, value in found.items()})
    return settings.drift_psi is not None and max(found.values(), default=0) >= settings.drift_psi


async def _train(window: Window, tools: Tools, why: Why) -> None:
    try:
        await train_version(window, tools, why)
    except NothingToTrainOn as error:
        tools.progress.ended(tools.clock(), f"nothing to train on: {error}")
        _log.warning("nothing to train on", reason=str(error), lines=window.lines.height)
