"""Events on their way: in the order they were given, never too many, and none lost in silence."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from millstream.domain.events import Event


class DeliveryFailed(Exception):  # noqa: N818
    """Not acknowledged; the same events, with their ids, may be sent again and count once.

    `events` are those that it is about, the newest as many as an outbox holds."""

    def __init__(self, words: str, events: tuple[Event, ...] = ()) -> None:
        super().__init__(words)
        self.events = events


class OutboxFull(Exception):  # noqa: N818
    """As many events are under way as may be: wait for some, or drop this one."""


class Position(Protocol):
    """Where a record came to stand, as aiokafka tells it."""

    partition: int
    offset: int


@dataclass(slots=True, eq=False)
class Outgoing:
    """`done`: where it stands, None where the transport does not say."""

    event: Event
    key: bytes
    value: bytes
    log_ms: int
    headers: tuple[tuple[str, bytes], ...]
    done: asyncio.Future[Position | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Carrier(Protocol):
    """Takes events to where they belong."""

    async def carry(self, queue: asyncio.Queue[Outgoing]) -> None:
        """Takes from the queue until it is cancelled, in order for each shopper, and settles the
        `done` of each by `fail` or with a result. What it raises breaks the outbox down."""


class Outbox:
    """One task lets the carrier have them, so that a shopper's stay in order."""

    def __init__(self, carrier: Carrier, capacity: int) -> None:
        self._capacity = capacity
        self._room = asyncio.Event()
        self._queue: asyncio.Queue[Outgoing] = asyncio.Queue()
        self._under_way: dict[asyncio.Future[Position | None], Outgoing] = {}
        self._failures = 0
        self._first: BaseException | None = None
        self._failed: deque[Event] = deque(maxlen=capacity)
        self._task = asyncio.create_task(carrier.carry(self._queue), name="millstream-outbox")
        self._task.add_done_callback(self._give_up)

    async def deliver(self, outgoing: Outgoing) -> Position | None:
        """Returns when it is acknowledged; waits where the outbox is full. Raises DeliveryFailed,
        and InvalidEvent where it was refused."""
        while len(self._under_way) >= self._capacity:
            self._room.clear()
            await self._room.wait()
        self._enqueue(outgoing)
        # Shielded: a caller that gives up does not take back what is on its way.
        return await asyncio.shield(outgoing.done)

    def post(self, outgoing: Outgoing) -> None:
        """Does not wait; `flush` tells of a failure. Raises OutboxFull."""
        if len(self._under_way) >= self._capacity:
            raise OutboxFull(f"{self._capacity} events wait to be acknowledged")
        outgoing.done.add_done_callback(lambda done: self._note_failure(outgoing.event, done))
        self._enqueue(outgoing)

    async def flush(self) -> None:
        """Waits until nothing is under way. Raises DeliveryFailed if anything posted since the
        last flush was lost or refused."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))
        self._raise_failures()

    async def close(self, timeout: float) -> None:
        """Flushes first, with what flush raises; what is under way after `timeout` seconds is given
        up and told of as not acknowledged."""
        try:
            async with asyncio.timeout(timeout):
                await self.flush()
        except TimeoutError:
            pass
        finally:
            self._task.cancel()
            await asyncio.wait([self._task])
        await asyncio.sleep(0)  # the callbacks of what was given up just now
        self._raise_failures()

    def _raise_failures(self) -> None:
        if self._failures:
            words = f"{self._failures} events were not acknowledged; the first: {self._first}"
            told = DeliveryFailed(words, tuple(self._failed))
            self._failures, self._first = 0, None
            self._failed.clear()
            raise told

    def _enqueue(self, outgoing: Outgoing) -> None:
        if self._task.done():
            raise DeliveryFailed("the client is closed, or has broken down", (outgoing.event,))
        self._under_way[outgoing.done] = outgoing
        outgoing.done.add_done_callback(self._leave)
        self._queue.put_nowait(outgoing)

    def _leave(self, done: asyncio.Future[Position | None]) -> None:
        self._under_way.pop(done, None)
        self._room.set()
        if not done.cancelled():
            done.exception()  # seen: a caller that gave up leaves no warning behind

    def _note_failure(self, event: Event, done: asyncio.Future[Position | None]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self._failures += 1
            self._first = self._first or error
            self._failed.append(event)

    def _give_up(self, task: asyncio.Task[None]) -> None:
        """Nobody waits for what will not be sent any more."""
        ended = None if task.cancelled() else task.exception()
        for outgoing in list(self._under_way.values()):
            fail(outgoing, ended or ConnectionError("the client was closed"))


def fail(outgoing: Outgoing, error: BaseException) -> None:
    if not outgoing.done.done():
        words = f"{type(error).__name__}: {error}"
        outgoing.done.set_exception(DeliveryFailed(words, (outgoing.event,)))


class DryRun:
    """A carrier that carries nothing: what was said was judged, and that is all."""

    async def carry(self, queue: asyncio.Queue[Outgoing]) -> None:
        while True:
            outgoing = await queue.get()
            if not outgoing.done.done():
                outgoing.done.set_result(None)
