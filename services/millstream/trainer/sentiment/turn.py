"""One look at the topic of reviews: whether it is time for a version, and the training of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import structlog

from millstream.model.sentiment.manifest import ReviewWindow
from millstream.trainer.sentiment.data import Reviews
from millstream.trainer.sentiment.pipeline import (
    Collected,
    ReviewTools,
    are_enough,
    train_review_version,
)
from millstream.trainer.trigger import Trigger, Why

_log = structlog.get_logger(__name__)


class ReviewLog(Protocol):
    def new(self) -> int:
        """Rated reviews that no training has looked at."""
        ...

    async def collect(self) -> tuple[Reviews, ReviewWindow]:
        """What a version is to learn from, and what of it the topic has now. Takes seconds."""
        ...

    def look_at(self, offsets: Mapping[int, int]) -> None:
        """A training did, up to the next offset of each partition."""
        ...


async def turn(log: ReviewLog, trigger: Trigger, tools: ReviewTools) -> None:
    """May take minutes."""
    began_ms, new = tools.clock(), log.new()
    tools.progress.waits(trigger, new)
    why = trigger.due(began_ms)
    if new >= trigger.wanted:
        why = Why.REVIEWS
    elif why is Why.TIME and not new:
        return
    if why is None:
        return
    tools.progress.begins(began_ms, why)
    reviews, window = await log.collect()
    await _train(Collected(reviews, window, why), tools)
    log.look_at(window.offsets)
    trigger.trained(sum(window.offsets.values()), window.last_log_ms, began_ms)
    tools.progress.waits(trigger, log.new())


async def _train(collected: Collected, tools: ReviewTools) -> None:
    reviews, window = collected.reviews, collected.window
    told = {} if window is None else {"rated": window.rated, "erased": window.erased}
    if not are_enough(reviews):
        good = int(reviews.labels.sum())
        bad = len(reviews) - good
        _log.warning("too few reviews to learn from", good=good, bad=bad, **told)
        verdict = f"too few reviews to learn from: {good} good and {bad} bad ones"
        tools.progress.ended(tools.clock(), verdict)
        return
    manifest, announced = await train_review_version(collected, tools)
    verdict, learnt = announced.verdict, manifest.reviews.learnt
    _log.info(
        "review model version", version=manifest.version, verdict=verdict, lines=learnt, **told
    )
