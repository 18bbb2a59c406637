"""START HERE: what `millstream chaos` does in the minutes it is given.

1. tier A: simulated schedules on a real Redis, in a process beside the others (simulation.py)
2. tiers B and C, bare workers and Faust ones on one Apache Kafka, and D, insights with reviews, in
   lanes side by side: each plays episodes under load, one fault after the other, each recounted by
   an oracle (episode.py)
3. one report of it all; any broken promise is named in it

With `without` one protection is switched off; then the schedules come first, there is one lane, and
the run ends at the first broken promise: a harness that finds nothing then would prove nothing."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Iterator

from millstream.domain.errors import OperatorError
from millstream.local.chaos.deck import Deck
from millstream.local.chaos.faults import KINDS, LAST, Fault, kinds_of
from millstream.local.chaos.fork_server import ForkServer
from millstream.local.chaos.lanes import Run, play_lane
from millstream.local.chaos.orders import Orders
from millstream.local.chaos.report import Report
from millstream.local.chaos.scene import Tier
from millstream.local.chaos.servers import ProxiedKafka
from millstream.local.chaos.simulation import simulate, simulated_apart
from millstream.local.chaos.view import View
from millstream.local.guard import guarded_directory

MOST_SCHEDULES = 1_000_000


async def chaos(orders: Orders, view: View) -> Report:
    """Raises OperatorError for a kind of fault that is not played, where a server can't be started,
    and where the harness itself fails."""
    _check_names(orders)
    began = time.monotonic()
    run = Run(
        orders,
        view,
        began + orders.minutes * 60,
        Report(orders.seed),
        _decks(orders),
        _lasts(orders),
        orders.tiers_of_lanes(),
    )
    if orders.without is not None:
        await _simulated_first(run)
    if not run.is_found:
        await _played(run)
    run.report.seconds = time.monotonic() - began
    return run.report


def _check_names(orders: Orders) -> None:
    if orders.without == "witness" and not orders.counts_events:
        raise OperatorError(
            "option --without witness", "reviews alone", "a tier that counts events"
        )
    known = {kind.kind for kind in LAST}
    known.update(kind.kind for tier in orders.tiers for kind in kinds_of(tier))
    if unknown := sorted(set(orders.only) - known):
        raise OperatorError(
            "the kind of fault",
            ", ".join(unknown),
            f"kinds of the tiers {', '.join(orders.tiers)}: {', '.join(sorted(known))}",
        )


async def _simulated_first(run: Run) -> None:
    """The witness is compared by the worker, which no schedule has; nor has one reviews."""
    if run.orders.without == "witness" or not run.orders.counts_events:
        return
    run.view.stage("A: simulated schedules")
    run.report.add(
        await simulate(
            run.orders.seed,
            run.orders.library,
            seconds=run.orders.minutes * 60 / 2,
            most=MOST_SCHEDULES,
            stop_at_first=True,
            told=run.view.schedules,
        )
    )


async def _simulated_beside(run: Run) -> None:
    orders = run.orders
    if orders.without is None and orders.schedules and orders.counts_events:
        run.report.add(await simulated_apart(orders.seed, orders.schedules, orders.minutes * 60))
        run.view.schedules(run.report.schedules)


async def _played(run: Run) -> None:
    lanes = len(run.tiers)
    with (
        guarded_directory("millstream-chaos-") as home,
        ProxiedKafka(lanes) as kafka,
        ForkServer() as forks,
    ):
        run.report.broker = kafka.name
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_simulated_beside(run))
                for lane in range(lanes):
                    group.create_task(play_lane(run, lane, kafka, forks, home))
        except ExceptionGroup as several:
            raise several.exceptions[0] from several


def _decks(orders: Orders) -> dict[Tier, Deck]:
    def dealt(kinds: Iterable[type[Fault]]) -> Deck:
        rng = random.Random(orders.seed)  # noqa: S311  a seed, not a secret
        return Deck([kind for kind in kinds if not orders.only or kind.kind in orders.only], rng)

    events = dealt(KINDS)
    return {"bare": events, "faust": events, "reviews": dealt(kinds_of("reviews"))}


def _lasts(orders: Orders) -> Iterator[type[Fault] | None]:
    wanted = [kind for kind in LAST if not orders.only or kind.kind in orders.only]
    number = orders.seed
    while True:
        yield wanted[number % len(wanted)] if wanted else None
        number += 1
