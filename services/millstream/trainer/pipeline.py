"""START HERE: accumulated events to a model that shoppers are served from."""

from __future__ import annotations

from functools import partial

import polars as pl
import structlog

from millstream.domain.models import ModelAnnouncement
from millstream.model.embeddings import Embeddings
from millstream.model.indexing import with_index
from millstream.model.manifest import Occasion
from millstream.streaming.offload import offload
from millstream.trainer import telemetry
from millstream.trainer.champion import champion_of
from millstream.trainer.clean import clean
from millstream.trainer.collect import Window
from millstream.trainer.encode import Interactions, encode
from millstream.trainer.examine import Examined, Standing, examine, finished, reexamine
from millstream.trainer.gate.segments import countries_of
from millstream.trainer.register import Beginning, data_window, describer
from millstream.trainer.split import split_by_time, split_fresh
from millstream.trainer.tools import Tools
from millstream.trainer.trigger import Why
from millstream.trainer.warm_start import Begun, begun_by

_log = structlog.get_logger(__name__)

_NEWS = {Why.LINES, Why.TIME}
"""Who asks, and what has drifted, gets a version of the whole window."""


async def train_version(window: Window, tools: Tools, why: Why = Why.LINES) -> ModelAnnouncement:
    """One version from a window of the lake: measured, registered, promoted if it may, announced.

    Takes seconds to minutes; the event loop stays free. Raises Stopped when told to end, and
    NothingToTrainOn."""
    settings, outlet, started_ms = tools.settings, tools.outlet, tools.clock()
    tools.progress.begins(started_ms, why)
    # window.lines: (lines, >= 7), the accepted item lines in log-time order
    cleaned = await offload(partial(clean, window.lines, tools.hidden(), settings.cleaning()))
    # cleaned.lines: (m, 6) user, event_id, type, item, weight, time_ms, in event-time order
    champion = await champion_of(outlet)
    # champion: the version in service, loaded, or none
    moved = await offload(partial(champion.drift, window.lines, settings.recent_items))
    # moved: PSI of what came after the champion's data, by what was looked at
    telemetry.drifted(settings.model_name, moved)
    seen_until_ms = champion.seen_until_ms(window.lines)
    begun = begun_by(champion.loaded, seen_until_ms, settings) if why in _NEWS else None
    # begun: the champion, to go on from it; None to learn from the whole window
    parts = (
        split_by_time(cleaned.lines, settings.measuring(), seen_until_ms)
        if begun is None
        else split_fresh(cleaned.lines, begun.seen_until_ms)
    )
    # parts: train (75 % of m), validation (5 %), test (20 %), one after the other in time, the
    # last one later than all that the champion has seen; to go on, half of what came since is test
    countries = await offload(partial(countries_of, window.lines))
    # countries: of the shoppers for whom one was told
    standing = Standing(champion, begun)
    tools.progress.learns(standing.fits(settings) + 1)
    examined = await offload(partial(examine, parts, countries, standing, tools, started_ms))
    # examined.judgement: refused, held or promoted, beside the champion on the same shoppers
    data = await offload(partial(_data, cleaned.lines, begun, settings.recent_items))
    # data: (pairs,) user row, item row and weight, now of the whole window or of all that is new
    model = await offload(partial(_train, data, examined, tools, started_ms))
    # model: (users, d), (items, d), what makes a vector of the recent items, and the two numbers
    # that make a probability of a product
    judgement = await offload(partial(reexamine, examined, model, tools.gate))
    # judgement: the same, unless the second training went astray
    tools.progress.registers()
    facts = data_window(window, settings, len(data.user_rows))
    began = Beginning(started_ms, Occasion(why, moved), 0 if begun is None else begun.warm)
    describe = describer(settings, facts, examined.serving, examined.quality(judgement), began)
    register = partial(outlet.registry.register, model, describe, outlet.key, champion.number or 0)
    manifest, sha = await offload(register)
    # manifest: signed, beside its files in the model store
    announcement = await outlet.release(manifest, sha, champion.number)
    # announcement: whether the current version moved, and the verdict; refused also where the
    # files do not load and answer as they should
    telemetry.trained(announcement, facts.lines, started_ms, tools.clock())
    tools.progress.ended(tools.clock(), announcement.verdict, manifest.version)
    await outlet.retain(tools.named())
    _log.info(
        "model version",
        version=manifest.version,
        why=str(why),
        network=str(examined.network),
        verdict=announcement.verdict,
        seconds=round((tools.clock() - started_ms) / 1000, 1),
        lines=facts.lines,
        left_out=cleaned.removed,
        **{f"drift_{name}": round(value, 3) for name, value in moved.items()},
        **examined.metrics,
    )
    return announcement


def _data(lines: pl.DataFrame, begun: Begun | None, recent_items: int) -> Interactions:
    if begun is None:
        return encode(lines, recent_items)
    return begun.going_on(lines, recent_items)


def _train(data: Interactions, examined: Examined, tools: Tools, started_ms: int) -> Embeddings:
    """The version itself learns from the whole window, by the settings that were measured: the
    newest lines are those it will be asked about. Many items get an index, if one is good."""
    settings = tools.settings
    fitted = tools.fit_on(data, examined.network, "registered", started_ms)
    parts = finished(data, fitted, examined.serving, tools)
    if len(parts.items) < settings.index_from_items:
        return parts
    return with_index(parts, settings.seed) or parts
