"""`millstream verify takeover`: one of two workers is killed in the middle of a replay.

On Apache Kafka, with events of the demo's recording. What the other worker does is measured and
recounted: nothing lost, nothing doubled, a list for everybody newer than the last event."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import Clock, as_datetime, wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.events import Event
from millstream.domain.lists import RecommendationList
from millstream.local import brokers
from millstream.local.deployment import deployed
from millstream.local.online_retail import OnlineRetailReplay, read_invoices
from millstream.local.pacing import Pacing
from millstream.local.rehearsal import rehearsing
from millstream.local.scoring import Scorer, by_invoice
from millstream.local.summary import above_zero

EVENTS_SENT = 12_000
KILL_AFTER = EVENTS_SENT // 2
LEAST_ACCEPTED = 10_000
MOST_TAKEOVER_S = 30.0
GRACE_MS = 60_000
"""Longer than a takeover: an event without a list is not given up meanwhile."""


@dataclass(frozen=True)
class Takeover:
    """`takeover_s`: from the kill to the first list on the partition that waited longest."""

    accepted: int
    lost: int
    doubled: int
    takeover_s: float
    lost_lines: int
    doubled_lines: int
    shoppers_left_behind: int
    lists: int
    broker: str
    redis: str

    def failures(self) -> list[str]:
        """A sentence for each figure that is not what it must be; empty: all is well."""
        found = above_zero(self, "lost", "doubled", "lost_lines", "doubled_lines")
        found += above_zero(self, "shoppers_left_behind")
        if self.accepted < LEAST_ACCEPTED:
            found.append(f"accepted is {self.accepted:,}, at least {LEAST_ACCEPTED:,} was promised")
        if self.takeover_s > MOST_TAKEOVER_S:
            found.append(
                f"takeover_s is {self.takeover_s}, at most {MOST_TAKEOVER_S:g} was promised"
            )
        return found


class Victim(Protocol):
    def kill(self) -> None:
        """Returns when the process is gone."""
        ...


class Assassin:
    """Implements replay.Listener: kills `victim` in mid-stream, then notes per partition when
    the first list came that was published after the kill; those under way then are older."""

    def __init__(self, victim: Victim, partitions: int, clock: Clock = wall_clock) -> None:
        self._clock = clock
        self._killed_ms = 0
        self._victim = victim
        self._partitions = partitions
        self._sent = 0
        self._killed_at: float | None = None
        self._back: dict[int, float] = {}

    def catalogued(self, item: CatalogueItem) -> None: ...

    def before(self, event: Event) -> None:  # noqa: ARG002
        self._sent += 1
        if self._sent == KILL_AFTER:
            self._victim.kill()
            self._killed_at, self._killed_ms = time.monotonic(), self._clock()

    def listed(self, ranked: RecommendationList) -> None:
        if self._killed_at is None:
            return
        if ranked.published_at > as_datetime(self._killed_ms):
            self._back.setdefault(ranked.origin.partition, time.monotonic() - self._killed_at)

    def takeover_s(self) -> float:
        """Raises OperatorError where a partition never came back: nothing was shown then."""
        if len(self._back) < self._partitions:
            raise OperatorError(
                "takeover", f"lists on {len(self._back)} partitions", f"on all {self._partitions}"
            )
        return max(self._back.values())


async def take_over(console: Console) -> Takeover:
    """Raises OperatorError where Apache Kafka can't be started or a partition stays silent."""
    with brokers.kafka("apache") as kafka, brokers.redis() as redis:
        console.print(f"Broker: {kafka.name}. Store: {redis.name}. Two workers.")
        async with deployed(kafka, redis) as deployment:
            await deployment.start("recommender")
            victim = await deployment.start("recommender")
            await deployment.members(2)
            partitions = await deployment.recommender_ready()
            assassin = Assassin(victim, partitions)
            async with rehearsing(
                deployment,
                Scorer(by_invoice),
                pacing=Pacing(grace_ms=GRACE_MS),
                listeners=[assassin],
            ) as rehearsal:
                outcome = await rehearsal.play(_steps())
                verdict, _ = await rehearsal.recount()
    return Takeover(
        accepted=verdict.accepted,
        lost=verdict.lost,
        doubled=verdict.doubled,
        takeover_s=round(assassin.takeover_s(), 2),
        lost_lines=verdict.lost_lines,
        doubled_lines=verdict.doubled_lines,
        shoppers_left_behind=outcome.shoppers_left_behind,
        lists=outcome.lists,
        broker=kafka.name,
        redis=redis.name,
    )


def _steps() -> Iterator[CatalogueItem | Event]:
    """The recording up to EVENTS_SENT events."""
    sent = 0
    for step in OnlineRetailReplay().stream(read_invoices()):
        yield step
        sent += isinstance(step, Event)
        if sent == EVENTS_SENT:
            return
