"""What is replayed: a shop's recorded events, and what its replay must come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.events import Event
from millstream.local.online_retail import DEMO_UNTIL, OnlineRetailReplay, read_invoices
from millstream.local.online_retail_catalogue import NOT_GOODS
from millstream.local.retailrocket import RetailRocketReplay, bought, read_rows
from millstream.local.scoring import Scorer, by_invoice, by_item
from millstream.local.summary import Required

DEMO_EVENTS_PER_S = 200.0
TENANT = "default"
"""Whose every recording is."""


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
    forecasts=100,
    reviews_counted=400,
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


def _count(stream: Iterator[CatalogueItem | Event]) -> int:
    return sum(isinstance(step, Event) for step in stream)
