"""The trainer of review models as a process: settings to a running loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from functools import partial

import structlog

from millstream.domain.clock import wall_clock
from millstream.model.manifest import ManifestHead
from millstream.model.sentiment.manifest import ReviewManifest
from millstream.streaming.offload import offload
from millstream.streaming.telemetry import AT_WORK
from millstream.trainer.ground import caught_up, requests, stand
from millstream.trainer.outlet import Outlet
from millstream.trainer.progress import Progress
from millstream.trainer.sentiment.compare import ReviewGateRule
from millstream.trainer.sentiment.data import NONE, read_reviews
from millstream.trainer.sentiment.fits import fit_of
from millstream.trainer.sentiment.pipeline import ReviewTools, require_enough
from millstream.trainer.sentiment.topic import opened
from millstream.trainer.sentiment.turn import turn
from millstream.trainer.service import serve, unless_told
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.telling import telling
from millstream.trainer.trigger import Trigger

_log = structlog.get_logger(__name__)


async def run(settings: TrainerSettings, *, once: bool = False) -> None:
    """As trainer.wiring.run. Raises OperatorError also where the labelled reviews can't be read or
    are too few."""
    labelled = NONE
    if settings.reviews_dir is not None:
        labelled = read_reviews(settings.reviews_dir)
        require_enough(labelled)
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(stand(settings))
        outlet = ground.outlet
        tools = await offload(partial(review_tools, settings, outlet, _tell))
        standing = list(outlet.registry.newest_first(outlet.public_key, *outlet.name))
        trigger = resumed_trigger(settings, standing, tools.progress)
        opening = stack.enter_async_context(opened(settings, labelled, looked_at(standing)))
        topic = await unless_told(ground.stop, opening)  # it may take minutes
        if topic is None:
            return
        await caught_up(stack, settings, requests(settings, trigger))
        AT_WORK.set(1)
        tools.progress.waits(trigger, topic.new())
        told_of = telling(tools.progress, ground.states, outlet.name, wall_clock)
        await stack.enter_async_context(told_of)
        look = partial(turn, topic, trigger, tools)
        await serve(look, settings.poll_s, ground.stop, once=once)


def review_tools(
    settings: TrainerSettings, outlet: Outlet, told: Callable[[str], None]
) -> ReviewTools:
    """Blocks for seconds."""
    fit, digest = fit_of(settings.review_kind, settings.seed, told)
    return ReviewTools(
        fit=fit,
        settings_digest=digest,
        seed=settings.seed,
        rule=ReviewGateRule(),
        outlet=outlet,
        clock=wall_clock,
    )


def resumed_trigger(
    settings: TrainerSettings, standing: Sequence[ManifestHead], progress: Progress
) -> Trigger:
    """Goes on from the versions that stand in the store, the newest first, promoted or not.
    Labelled reviews alone are enough for the first one."""
    first = settings.first_after_reviews if settings.reviews_dir is None else 0
    trigger = Trigger(first, settings.every_reviews, settings.every_ms)
    if standing:
        created_ms = round(standing[0].created_at.timestamp() * 1000)
        trigger.trained(sum(looked_at(standing).values()), created_ms, created_ms)
        progress.ended(created_ms, standing[0].quality.verdict, standing[0].version)
    return trigger


def looked_at(standing: Iterable[ManifestHead]) -> dict[int, int]:
    """The next offset of each partition of the topic when a training last looked at it, which
    that of an operator's labelled reviews does not."""
    windows = (each.window for each in standing if isinstance(each, ReviewManifest))
    return next((window.offsets for window in windows if window is not None), {})


def _tell(said: str) -> None:
    _log.info("fitted", said=said)
