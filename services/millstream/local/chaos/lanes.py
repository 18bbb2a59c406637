"""A lane: one episode after the other, until the run's time is over."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from millstream.local.chaos.deck import Deck
from millstream.local.chaos.episode import play
from millstream.local.chaos.faults import Fault
from millstream.local.chaos.faults.broker import TopicMadeAnewLonger
from millstream.local.chaos.fork_server import ForkServer
from millstream.local.chaos.orders import Orders
from millstream.local.chaos.plan import Plan, Servers
from millstream.local.chaos.report import Report
from millstream.local.chaos.scene import Tier
from millstream.local.chaos.servers import BreakableValkey, ProxiedKafka
from millstream.local.chaos.view import View

EPISODE_S = 150.0
WITNESS_EPISODE_S = 10.0
WITNESS_RATE = 500.0
"""The one fault that shows it needs a log, not a long one."""
SHORTEST_EPISODE_S = 25.0
RECKONING_S = 35.0
LANES_APART = 100
LETTERS: Mapping[Tier, str] = {"bare": "B", "faust": "C", "reviews": "D"}


@dataclass
class Run:
    orders: Orders
    view: View
    ends: float
    """Monotonic."""
    report: Report
    decks: Mapping[Tier, Deck]
    """Those that count events share theirs."""
    lasts: Iterator[type[Fault] | None]
    tiers: list[Tier] = field(default_factory=list)
    """Of each lane."""

    @property
    def left_s(self) -> float:
        return self.ends - time.monotonic()

    @property
    def is_found(self) -> bool:
        return self.orders.without is not None and self.report.broken


async def play_lane(
    run: Run, lane: int, kafka: ProxiedKafka, forks: ForkServer, home: Path
) -> None:
    number = 0
    while number == 0 or run.left_s > SHORTEST_EPISODE_S + RECKONING_S:
        plan = _plan(run, lane, number)
        tier = LETTERS[plan.tier]

        def told(what: str, name: str = f"{tier}{plan.seed}") -> None:
            run.view.fault(f"{name} {what}")

        run.view.stage(f"{tier}: episode {plan.seed}")
        async with _valkey() as valkey:
            found = await play(plan, Servers(kafka, forks, valkey, home / str(plan.seed)), told)
            found.redis = valkey.name
        run.report.add(found)
        run.view.counted(run.report)
        async with kafka.quiet.needed():
            await _forget_topics(kafka, f"c{plan.seed}.")
        number += 1
        if run.is_found:
            return


@asynccontextmanager
async def _valkey() -> AsyncIterator[BreakableValkey]:
    valkey = BreakableValkey()
    try:
        await asyncio.to_thread(valkey.start)
        yield valkey
    finally:
        await asyncio.to_thread(valkey.close)


async def _forget_topics(kafka: ProxiedKafka, prefix: str) -> None:
    """The broker's disk is not to fill with what has been compared."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(prefix)]
        await admin.delete_topics(names)
    finally:
        await admin.close()


def _plan(run: Run, lane: int, number: int) -> Plan:
    orders = run.orders
    tier = run.tiers[lane]
    deck, last = run.decks[tier], None if tier == "reviews" else next(run.lasts)
    seconds = min(EPISODE_S, max(SHORTEST_EPISODE_S, run.left_s - RECKONING_S))
    rate = orders.rate_of(tier)
    if orders.without == "witness":
        rate = min(rate, WITNESS_RATE)
        seconds, last, deck = WITNESS_EPISODE_S, TopicMadeAnewLonger, Deck((), random.Random())  # noqa: S311
    return Plan(
        tier=tier,
        lane=lane,
        seed=orders.seed * 1_000 + lane * LANES_APART + number,
        seconds=seconds,
        rate=rate,
        deck=deck,
        last=last,
        library=orders.library,
        without=orders.without,
        logs=orders.logs,
    )
