"""`millstream demo` and `millstream replay`: a recording through the whole system, measured."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Protocol

from rich.console import Console

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.events import Event
from millstream.domain.lists import RecommendationList
from millstream.local import brokers
from millstream.local.deployment import Deployment, deployed
from millstream.local.forecasts import forecasts_told
from millstream.local.live_view import LiveView, shown
from millstream.local.pacing import Pacing
from millstream.local.recordings import TENANT, Recording
from millstream.local.recount import Verdict
from millstream.local.rehearsal import Rehearsal, rehearsing
from millstream.local.replay import Outcome
from millstream.local.reviewing import OwnLists, review, selling, train_made_up
from millstream.local.scoring import VersionComparison
from millstream.local.summary import InsightsSummary, Summary
from millstream.local.versions import compare_on_later, load_version

TRAINER_NICENESS = 10
"""Not the last one's: the replay leaves nothing over, and its figures want both models."""


class FirstList:
    """Implements replay.Listener: when the first list came, in seconds after `began`."""

    def __init__(self, began: float) -> None:
        self._began = began
        self.after_s: float | None = None

    def catalogued(self, item: CatalogueItem) -> None: ...

    def before(self, event: Event) -> None: ...

    def listed(self, ranked: RecommendationList) -> None:  # noqa: ARG002
        if self.after_s is None:
            self.after_s = time.monotonic() - self._began


class Beside(Protocol):
    """What else is there while it plays."""

    async def begin(self, deployment: Deployment) -> None: ...
    async def end(self, summary: Summary) -> None:
        """All is measured, and still runs until this returns."""


async def play(
    recording: Recording, console: Console, models: int = 2, beside: Beside | None = None
) -> Summary:
    """Starts what is not running already, plays, waits for `models` versions, measures, stops
    everything. Raises OperatorError where a server or a service does not come up or ends by
    itself."""
    began = time.monotonic()
    view, first_list = LiveView(recording.events, recording.title), FirstList(began)
    own_lists = OwnLists()
    with brokers.kafka() as kafka, brokers.redis() as redis:
        console.print(f"Broker: {kafka.name}. Store: {redis.name}.")
        async with deployed(kafka, redis) as deployment:
            await _start(deployment, recording, beside)
            pacing = Pacing(events_per_s=recording.events_per_s)
            async with rehearsing(
                deployment, recording.scorer, pacing=pacing, listeners=[view, first_list, own_lists]
            ) as rehearsal:
                view.watch(rehearsal)
                async with shown(view, console):
                    outcome = await rehearsal.play(recording.stream())
                console.print("Replayed; models in training are waited for, then all is recounted.")
                await _models(rehearsal, models, console)
                verdict, ledger = await rehearsal.recount(others=beside is not None)
                versions = _compare_versions(rehearsal, recording)
                told = await _insights(deployment, recording, own_lists, console)
            took_s = time.monotonic() - began
            measured = Measured(outcome, verdict, ledger, versions, first_list.after_s, took_s)
            summary = _summary(measured, recording, rehearsal, (kafka.name, redis.name))
            if told is not None:
                summary = told(**asdict(summary))
            if beside is not None:
                await beside.end(summary)
    return summary


async def _start(deployment: Deployment, recording: Recording, beside: Beside | None) -> None:
    """The services of the loop, and `beside`; returns when a recommender takes events."""
    await deployment.start("recommender")
    await deployment.start("lake", lake_flush_seconds=1)
    await deployment.start(
        "trainer",
        first_after_lines=recording.first_model_lines,
        every_lines=recording.next_model_lines,
        counted_types=json.dumps(recording.counted_types),
        niceness=TRAINER_NICENESS,
    )
    begun = beside.begin(deployment) if beside is not None else asyncio.sleep(0)
    await asyncio.gather(deployment.recommender_ready(), begun)


async def _models(rehearsal: Rehearsal, models: int, console: Console) -> None:
    await rehearsal.await_models(models)
    for model in rehearsal.announced:
        console.print(f"Model v{model.version} {model.verdict}")


async def _insights(
    deployment: Deployment, recording: Recording, own_lists: OwnLists, console: Console
) -> Callable[..., InsightsSummary] | None:
    """What a summary lacks until insights has done its part; None where the recording asks for
    none."""
    if not recording.required.forecasts:
        return None
    console.print(
        "Recounted; insights reads the lake, tells what will sell, and judges made-up reviews by a "
        "model that was trained on made-up reviews."
    )
    learning = asyncio.create_task(train_made_up(deployment, TENANT))
    try:
        forecasts = await forecasts_told(deployment, TENANT, reviews=True)
        await learning
    finally:
        learning.cancel()
    shop = selling(recording.stream(), recording.left_out)
    reviewed = await review(deployment, TENANT, shop, own_lists)
    return partial(
        InsightsSummary,
        forecasts=forecasts,
        reviews_judged=reviewed.judged,
        reviews_counted=reviewed.counted,
        reviews_lost=reviewed.lost,
        reviews_doubled=reviewed.doubled,
        review_reason=reviewed.reason,
    )


@dataclass(frozen=True)
class Measured:
    outcome: Outcome
    verdict: Verdict
    ledger: dict[str, int]
    versions: VersionComparison | None
    first_list_s: float | None
    seconds: float


def _summary(
    measured: Measured, recording: Recording, rehearsal: Rehearsal, servers: tuple[str, str]
) -> Summary:
    score = recording.scorer.score()
    outcome, verdict = measured.outcome, measured.verdict
    ledger, versions = measured.ledger, measured.versions
    return Summary(
        accepted=ledger["acc"],
        dead_lettered=ledger["bad"] + ledger["late"] + ledger["over"],
        skipped=recording.skipped(),
        lists=outcome.lists,
        models_promoted=len(rehearsal.promoted),
        event_to_list_p50_ms=outcome.event_to_list_p50_ms or 0.0,
        event_to_list_p99_ms=outcome.event_to_list_p99_ms or 0.0,
        recall_at_20=score.overall.recall_at_20,
        popularity_recall_at_20=score.overall.popularity_recall_at_20,
        recall_over_popularity=score.overall.over_popularity,
        cases=score.overall.cases,
        cases_without_list=score.cases_without_list,
        popularity_baseline=score.popularity,
        first_model_recall_at_20=versions.first if versions else None,
        second_model_recall_at_20=versions.second if versions else None,
        later_invoices=versions.invoices if versions else 0,
        shoppers_left_behind=outcome.shoppers_left_behind,
        lost=verdict.lost,
        doubled=verdict.doubled,
        lost_lines=verdict.lost_lines,
        doubled_lines=verdict.doubled_lines,
        first_list_s=measured.first_list_s or 0.0,
        seconds=measured.seconds,
        broker=servers[0],
        redis=servers[1],
    )


def _compare_versions(rehearsal: Rehearsal, recording: Recording) -> VersionComparison | None:
    """The first two promoted versions; None where there are not two."""
    if len(rehearsal.promoted) < 2:
        return None
    settings = rehearsal.deployment.settings
    first, second = (
        load_version(settings.model_store, settings.keys_dir, announced)
        for announced in rehearsal.promoted[:2]
    )
    events = [step for step in recording.stream() if isinstance(step, Event)]
    return compare_on_later(first, second, events, recording.left_out)
