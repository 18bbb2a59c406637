"""The replay: recorded events, sent at the pace of the recommender. The walk:

1. take the next event; one that opens a case to be scored waits until its shopper's earlier
   events are answered, so that the list standing before it is the one the shopper would have
   seen; other shoppers go on meanwhile (read_ahead.py)
2. wait for room in the window (pacing.py) and for the wanted speed
3. tell the listeners, send new catalogue entries, send the event
4. at the end wait until everything sent is answered.

Catalogue entries are answered by no list; the recommender follows their topic by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import Clock
from millstream.domain.errors import OperatorError
from millstream.domain.events import Event
from millstream.domain.lists import RecommendationList
from millstream.local.pacing import Pacing, Window
from millstream.local.progress import Progress
from millstream.local.read_ahead import ReadAhead, Step
from millstream.local.storefront import SentRecord, Storefront

_LOOK_AGAIN_S = 0.25


class Listener(Protocol):
    """Told of everything in the order it happens: scoring, the live view."""

    def catalogued(self, item: CatalogueItem) -> None: ...
    def before(self, event: Event) -> None: ...
    def listed(self, ranked: RecommendationList) -> None: ...


class Asker(Listener, Protocol):
    """The listener that decides which events wait for their shopper's list."""

    def wants_list(self, event: Event) -> bool: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    sent: int
    lists: int
    unanswered: int
    """Events after which no list of their shopper came; refused ones are among them."""
    shoppers_left_behind: int
    """Shoppers whose newest list is older than their last event."""
    event_to_list_p50_ms: float | None
    event_to_list_p99_ms: float | None
    """Per list, its arrival less the `sent_at` of the event it answers; None without lists."""


class Replay:
    """`run` sends; `listed` is called for every list that arrives, in the same event loop."""

    def __init__(
        self,
        storefront: Storefront,
        asker: Asker,
        *,
        clock: Clock,
        pacing: Pacing | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.progress = Progress()
        self.sent = 0
        self._storefront = storefront
        self._asker = asker
        self._listeners: tuple[Listener, ...] = (asker, *listeners)
        self._clock = clock
        self._pacing = pacing or Pacing()
        self._window = Window(self._pacing)
        self._moved = asyncio.Event()
        self._moved_ms = clock()

    async def run(self, source: Iterator[CatalogueItem | Event]) -> Outcome:
        """Returns when all of `source` is sent and answered, or no list came for `stall_s` then.

        Raises OperatorError when events wait to be sent and no list comes for `stall_s`, and
        what the producer raised."""
        ahead = ReadAhead(source, self._pacing.read_ahead)
        started_s = asyncio.get_running_loop().time()
        while not ahead.exhausted:
            step = ahead.take(self._may_go) if self._has_room() else None
            if step is None:
                await self._wait_for_lists()
                if self._is_stalled():
                    raise self._stall_error()
                continue
            await self._keep_speed(started_s)
            await self._send(step)
        while self.progress.unsettled and not self._is_stalled():
            await self._wait_for_lists()
        self._raise_failure()
        return self.outcome()

    def outcome(self) -> Outcome:
        """What has come of the replay so far."""
        progress = self.progress
        latencies = progress.latencies_ms
        return Outcome(
            sent=self.sent,
            lists=progress.lists,
            unanswered=progress.unanswered + progress.unsettled,
            shoppers_left_behind=progress.shoppers_left_behind,
            event_to_list_p50_ms=float(np.percentile(latencies, 50)) if latencies else None,
            event_to_list_p99_ms=float(np.percentile(latencies, 99)) if latencies else None,
        )

    def listed(self, ranked: RecommendationList) -> None:
        now_ms = self._clock()
        place = (ranked.origin.partition, ranked.origin.offset)
        latency_ms = self.progress.listed(ranked.user, place, now_ms)
        if latency_ms is not None:
            self._window.answered(latency_ms, now_ms)
        for listener in self._listeners:
            listener.listed(ranked)
        self._moved_ms = now_ms
        self._moved.set()

    def _has_room(self) -> bool:
        return self.progress.outstanding < self._window.size

    def _may_go(self, event: Event) -> bool:
        return not (self.progress.is_busy(event.shopper) and self._asker.wants_list(event))

    async def _keep_speed(self, started_s: float) -> None:
        if self._pacing.events_per_s is not None:
            due_s = started_s + self.sent / self._pacing.events_per_s
            await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))

    async def _send(self, step: Step) -> None:
        entries, event = step
        for item in entries:
            for listener in self._listeners:
                listener.catalogued(item)
            await self._storefront.offer(item)
        for listener in self._listeners:
            listener.before(event)
        self.progress.sending(event.shopper)
        self.sent += 1
        self._moved_ms = self._clock()
        await self._storefront.tell(event, self._acknowledged)

    def _acknowledged(self, event: Event, record: SentRecord, sent_ms: int) -> None:
        self.progress.acknowledged(event.shopper, (record.partition, record.offset), sent_ms)
        self._moved.set()

    async def _wait_for_lists(self) -> None:
        """Until something moved or it is time to look at the clock again."""
        try:
            async with asyncio.timeout(_LOOK_AGAIN_S):
                await self._moved.wait()
        except TimeoutError:
            pass
        self._moved.clear()
        self._raise_failure()
        self.progress.give_up(self._clock(), self._pacing.grace_ms)

    def _raise_failure(self) -> None:
        if self._storefront.failure is not None:
            raise self._storefront.failure

    def _is_stalled(self) -> bool:
        quiet_ms = self._clock() - self._moved_ms
        return self.progress.unsettled > 0 and quiet_ms > self._pacing.stall_s * 1000

    def _stall_error(self) -> OperatorError:
        return OperatorError(
            "replay",
            f"no list for {self._pacing.stall_s:g} s, {self.progress.unsettled} events unanswered",
            "a running recommender that follows the same topics",
            "Run 'millstream doctor', and look at the recommender's log",
        )
