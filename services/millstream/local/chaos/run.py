"""START HERE: what `millstream chaos` does in the minutes it is given.

1. tier A: simulated schedules on a real Redis, a twentieth of the time (simulation.py)
2. tiers B and C by turns, bare workers and Faust ones on Apache Kafka: episodes under load, one
   fault after the other, each episode recounted by an oracle (episode.py)
3. one report of it all; any broken promise is named in it

With `without` one protection is switched off, and the run ends at the first broken promise: a
harness that finds nothing then would prove nothing."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from millstream.domain.errors import OperatorError
from millstream.local.chaos.episode import Plan, Servers, play
from millstream.local.chaos.faults import LAST, Fault, kinds_of
from millstream.local.chaos.faults.broker import TopicMadeAnewLonger
from millstream.local.chaos.mutants import SOURCE, without_check
from millstream.local.chaos.report import Report
from millstream.local.chaos.scene import Tier
from millstream.local.chaos.servers import BreakableValkey, ProxiedKafka
from millstream.local.chaos.simulation import simulate
from millstream.local.chaos.view import View
from millstream.local.guard import guarded_directory

RATE = 2_000.0
SIMULATED_SHARE = 0.05
EPISODE_S = 120.0
WITNESS_EPISODE_S = 10.0
SHORTEST_EPISODE_S = 25.0
RECKONING_S = 35.0
MOST_SCHEDULES = 1_000_000
TIERS: tuple[Tier, ...] = ("faust", "bare")


@dataclass(frozen=True)
class Orders:
    """`only`: these kinds of fault, by name; empty: all. `without`: a name of mutants.CHECKS."""

    seed: int
    minutes: float
    without: str | None = None
    tiers: Sequence[Tier] = TIERS
    only: Sequence[str] = ()
    rate: float = RATE
    simulated_share: float = SIMULATED_SHARE
    logs: Path | None = None

    @property
    def library(self) -> str:
        return SOURCE if self.without is None else without_check(self.without)


@dataclass
class _Clock:
    ends: float

    @property
    def left_s(self) -> float:
        return self.ends - time.monotonic()


async def chaos(orders: Orders, view: View) -> Report:
    """Raises OperatorError for a kind of fault that is not played, where a server can't be started,
    and where the harness itself fails."""
    _check_names(orders)
    clock = _Clock(time.monotonic() + orders.minutes * 60)
    report = Report(orders.seed)
    began = time.monotonic()
    await _simulated(orders, report, view)
    if not (orders.without and report.broken):
        await _played(orders, report, clock, view)
    report.seconds = time.monotonic() - began
    return report


def _check_names(orders: Orders) -> None:
    known = {kind.kind for kind in LAST}
    known.update(kind.kind for tier in orders.tiers for kind in kinds_of(tier))
    if unknown := sorted(set(orders.only) - known):
        raise OperatorError(
            "the kind of fault",
            ", ".join(unknown),
            f"kinds of the tiers {', '.join(orders.tiers)}: {', '.join(sorted(known))}",
        )


async def _simulated(orders: Orders, report: Report, view: View) -> None:
    """The witness is compared by the worker, which no schedule has."""
    share = 0.5 if orders.without else orders.simulated_share
    if orders.without == "witness" or not share:
        return
    view.stage("A: simulated schedules")
    report.add(
        await simulate(
            orders.seed,
            orders.library,
            seconds=orders.minutes * 60 * share,
            most=MOST_SCHEDULES,
            stop_at_first=orders.without is not None,
            told=view.schedules,
        )
    )


async def _played(orders: Orders, report: Report, clock: _Clock, view: View) -> None:
    decks = {tier: _deck(tier, orders) for tier in orders.tiers}
    lasts = _lasts(orders)
    number = 0
    with guarded_directory("millstream-chaos-") as home, ProxiedKafka() as kafka:
        report.broker = kafka.name
        while clock.left_s > SHORTEST_EPISODE_S + RECKONING_S or not number:
            tier = orders.tiers[number % len(orders.tiers)]
            plan = _plan(orders, tier, number, clock, decks[tier], next(lasts))
            view.stage(f"{'C' if tier == 'faust' else 'B'}: episode {number + 1}")
            report.add(await _episode(plan, kafka, home, view))
            view.counted(report)
            number += 1
            if orders.without and report.broken:
                return


async def _episode(plan: Plan, kafka: ProxiedKafka, home: Path, view: View) -> Report:
    with BreakableValkey() as valkey:
        found = await play(plan, Servers(kafka, valkey, home), view.fault)
        found.redis = valkey.name
    await _forget_topics(kafka)
    return found


async def _forget_topics(kafka: ProxiedKafka) -> None:
    """The broker's disk is not to fill with what has been compared."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if not name.startswith("__")]
        await admin.delete_topics(names)
    finally:
        await admin.close()


def _plan(
    orders: Orders,
    tier: Tier,
    number: int,
    clock: _Clock,
    deck: Iterator[type[Fault]],
    last: type[Fault] | None,
) -> Plan:
    seconds = min(EPISODE_S, max(SHORTEST_EPISODE_S, clock.left_s - RECKONING_S))
    if orders.without == "witness":
        seconds, last, deck = WITNESS_EPISODE_S, TopicMadeAnewLonger, iter(())
    return Plan(
        tier=tier,
        seed=orders.seed * 1_000 + number,
        seconds=seconds,
        rate=orders.rate,
        kinds=deck,
        last=last,
        library=orders.library,
        without=orders.without,
        logs=orders.logs,
    )


def _deck(tier: Tier, orders: Orders) -> Iterator[type[Fault]]:
    """All kinds in a new order, again and again: none is left to chance."""
    rng = random.Random(f"{orders.seed}{tier}")  # noqa: S311  a seed, not a secret
    kinds = [kind for kind in kinds_of(tier) if not orders.only or kind.kind in orders.only]
    while True:
        rng.shuffle(kinds)
        yield from kinds
        if not kinds:
            return


def _lasts(orders: Orders) -> Iterator[type[Fault] | None]:
    wanted = [kind for kind in LAST if not orders.only or kind.kind in orders.only]
    number = orders.seed
    while True:
        yield wanted[number % len(wanted)] if wanted else None
        number += 1
