"""`millstream demo` and `millstream replay`: a recording through the whole system, measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich.console import Console

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.events import Event
from millstream.domain.lists import RecommendationList
from millstream.local import brokers
from millstream.local.deployment import deployed
from millstream.local.live_view import LiveView, shown
from millstream.local.online_retail import DEMO_UNTIL, OnlineRetailReplay, read_invoices
from millstream.local.online_retail_catalogue import NOT_GOODS
from millstream.local.pacing import Pacing
from millstream.local.rehearsal import Rehearsal, rehearsing
from millstream.local.retailrocket import RetailRocketReplay, bought, read_rows
from millstream.local.scoring import Scorer, VersionComparison, by_invoice, by_item
from millstream.local.summary import Required, Summary
from millstream.local.versions import compare_on_later, load_version

DEMO_EVENTS_PER_S = 200.0


@dataclass(frozen=True)
class Recording:
    """What is replayed. `stream` begins anew at each call; `skipped` tells what the last pass
    left out of the recording."""

    title: str
    events: int
    stream: Callable[[], Iterator[CatalogueItem | Event]]
    scorer: Scorer
    skipped: Callable[[], int]
    left_out: frozenset[str]
    events_per_s: float | None
    first_model_lines: int
    next_model_lines: int
    """So many lines of `counted_types` make the first model, and so many more the next."""
    counted_types: tuple[str, ...]
    required: Required


DEMO_REQUIRED = Required(
    accepted=20_000,
    lists=1000,
    models_promoted=2,
    p99_ms=1000.0,
    better_than_popularity=True,
    better_second_model=True,
)
"""Of the demo's whole slice; a shorter one promises no figures."""


def online_retail(until: date = DEMO_UNTIL) -> Recording:
    """UCI Online Retail, shipped with the package, up to a day; by default the demo's slice."""
    passes: list[OnlineRetailReplay] = []

    def stream() -> Iterator[CatalogueItem | Event]:
        passes.append(OnlineRetailReplay())
        return passes[-1].stream(read_invoices(until=until))

    return Recording(
        "Millstream, live: UCI Online Retail (purchases as they happened, views simulated)",
        _count(stream()),
        stream,
        Scorer(by_invoice),
        lambda: sum(passes[-1].skipped.values()),
        frozenset(NOT_GOODS),
        DEMO_EVENTS_PER_S,
        60_000,
        54_000,
        ("purchase",),
        DEMO_REQUIRED if until == DEMO_UNTIL else Required(),
    )


def retailrocket(data: Path, events_per_s: float | None) -> Recording:
    """The browse and purchase events in a folder. Raises OperatorError where they are missing."""
    rows = list(read_rows(data))
    passes: list[RetailRocketReplay] = []

    def stream() -> Iterator[CatalogueItem | Event]:
        passes.append(RetailRocketReplay())
        return passes[-1].stream(rows)

    return Recording(
        "Millstream, live: RetailRocket (views, carts and purchases as they happened)",
        len(rows),
        stream,
        Scorer(by_item, bought(rows)),
        lambda: sum(passes[-1].refused.values()),
        frozenset(),
        events_per_s,
        40_000,
        40_000,
        ("view_item", "add_to_cart", "purchase"),
        Required(rows=len(rows), better_than_popularity=True),
    )


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


async def play(recording: Recording, console: Console, models: int = 2) -> Summary:
    """Starts what is not running already, plays, waits for `models` versions, measures, stops
    everything. Raises OperatorError where a server or a service does not come up or ends by
    itself."""
    began = time.monotonic()
    view, first_list = LiveView(recording.events, recording.title), FirstList(began)
    with brokers.kafka() as kafka, brokers.redis() as redis:
        console.print(f"Broker: {kafka.name}. Store: {redis.name}.")
        async with deployed(kafka, redis) as deployment:
            await deployment.start("recommender")
            await deployment.start("lake", lake_flush_seconds=1)
            await deployment.start(
                "trainer",
                first_after_lines=recording.first_model_lines,
                every_lines=recording.next_model_lines,
                counted_types=json.dumps(recording.counted_types),
            )
            await deployment.recommender_ready()
            pacing = Pacing(events_per_s=recording.events_per_s)
            async with rehearsing(
                deployment, recording.scorer, pacing=pacing, listeners=[view, first_list]
            ) as rehearsal:
                view.watch(rehearsal)
                async with shown(view, console):
                    outcome = await rehearsal.play(recording.stream())
                console.print("Replayed; models in training are waited for, then all is recounted.")
                await rehearsal.await_models(models)
                verdict, ledger = await rehearsal.recount()
                versions = _compare_versions(rehearsal, recording)
    score = recording.scorer.score()
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
        first_list_s=first_list.after_s or 0.0,
        seconds=time.monotonic() - began,
        broker=kafka.name,
        redis=redis.name,
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


def _count(stream: Iterator[CatalogueItem | Event]) -> int:
    return sum(isinstance(step, Event) for step in stream)
