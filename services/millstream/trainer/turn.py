"""One look at the lake: whether it is time for a version, and the training of it."""

from __future__ import annotations

from functools import partial

import structlog

from millstream.streaming.offload import offload
from millstream.trainer import telemetry
from millstream.trainer.champion import champion_of
from millstream.trainer.collect import Lake, Window, collect
from millstream.trainer.encode import NothingToTrainOn
from millstream.trainer.pipeline import train_version
from millstream.trainer.tools import Tools
from millstream.trainer.trigger import Trigger, Why

_log = structlog.get_logger(__name__)


async def turn(lake: Lake, trigger: Trigger, tools: Tools) -> None:
    """May take minutes. Raises Stopped."""
    began_ms = tools.clock()
    records = sum((await offload(lake.offsets)).values())
    tools.progress.waits(trigger, trigger.expected(records))
    why = trigger.due(began_ms)
    if why is None and not trigger.worth_counting(records, began_ms):
        return
    looks_for_drift = trigger.looks_for_drift(records)
    found = await offload(partial(collect, lake, tools.settings.window_days, trigger.trained_to_ms))
    records = sum(found.window.offsets.values())
    are_enough = trigger.counted(records, found.count_new(tools.settings.counted))
    tools.progress.waits(trigger, trigger.expected(records))
    if are_enough:
        why = Why.LINES
    elif why is Why.TIME and found.new_lines.is_empty():
        return
    elif why is None and looks_for_drift and await _has_drifted(found.window, tools):
        why = Why.DRIFT
    if why is not None:
        await _train(found.window, tools, why)
        trigger.trained(records, found.window.last_log_ms, began_ms)
        tools.progress.waits(trigger, trigger.expected(records))


async def _has_drifted(window: Window, tools: Tools) -> bool:
    settings, champion = tools.settings, await champion_of(tools.outlet)
    found = await offload(partial(champion.drift, window.lines, settings.recent_items))
    telemetry.drifted(settings.model_name, found)
    _log.info("drift", **{name: round(value, 3) for name, value in found.items()})
    return settings.drift_psi is not None and max(found.values(), default=0) >= settings.drift_psi


async def _train(window: Window, tools: Tools, why: Why) -> None:
    try:
        await train_version(window, tools, why)
    except NothingToTrainOn as error:
        tools.progress.ended(tools.clock(), f"nothing to train on: {error}")
        _log.warning("nothing to train on", reason=str(error), lines=window.lines.height)
