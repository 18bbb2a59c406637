"""Events on their way to Kafka: in the order they were given, and never too many."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from aiokafka.errors import KafkaError


class DeliveryFailed(Exception):  # noqa: N818
    """Kafka has not acknowledged; the same event, with its id, may be sent again."""


class OutboxFull(Exception):  # noqa: N818
    """As many events are under way as may be: wait for some, or drop this one."""


class Position(Protocol):
    """Where a record came to stand, as aiokafka tells it."""

    partition: int
    offset: int


class Producer(Protocol):
    async def send(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        *,
        timestamp_ms: int,
        headers: list[tuple[str, bytes]],
    ) -> asyncio.Future[Position]: ...


@dataclass(slots=True, eq=False)
class Outgoing:
    key: bytes
    value: bytes
    log_ms: int
    headers: tuple[tuple[str, bytes], ...]
    done: asyncio.Future[Position] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Outbox:
    """One task hands events to the producer, so that a shopper's stay in order."""

    def __init__(self, producer: Producer, topic: str, capacity: int) -> None:
        self._producer = producer
        self._topic = topic
        self._capacity = capacity
        self._room = asyncio.Event()
        self._queue: asyncio.Queue[Outgoing] = asyncio.Queue()
        self._under_way: set[asyncio.Future[Position]] = set()
        self._failures: list[BaseException] = []
        self._task = asyncio.create_task(self._run(), name="millstream-outbox")
        self._task.add_done_callback(self._give_up)

    async def deliver(self, outgoing: Outgoing) -> Position:
        """Returns when Kafka has acknowledged; waits where the outbox is full.
        Raises DeliveryFailed."""
        while len(self._under_way) >= self._capacity:
            self._room.clear()
            await self._room.wait()
        self._enqueue(outgoing)
        # Shielded: a caller that gives up does not take back what is on its way.
        return await asyncio.shield(outgoing.done)

    def post(self, outgoing: Outgoing) -> None:
        """Does not wait; `flush` tells of a failure. Raises OutboxFull."""
        if len(self._under_way) >= self._capacity:
            raise OutboxFull(f"{self._capacity} events wait for Kafka")
        outgoing.done.add_done_callback(self._note_failure)
        self._enqueue(outgoing)

    async def flush(self) -> None:
        """Waits until nothing is under way. Raises DeliveryFailed if anything posted since the
        last flush was lost."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))
        if self._failures:
            count, first = len(self._failures), self._failures[0]
            self._failures.clear()
            raise DeliveryFailed(f"{count} events were not acknowledged; the first: {first}")

    async def close(self) -> None:
        """Flushes first, with what flush raises."""
        try:
            await self.flush()
        finally:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _enqueue(self, outgoing: Outgoing) -> None:
        if self._task.done():
            raise DeliveryFailed("the client is closed, or has broken down")
        self._under_way.add(outgoing.done)
        outgoing.done.add_done_callback(self._leave)
        self._queue.put_nowait(outgoing)

    def _leave(self, done: asyncio.Future[Position]) -> None:
        self._under_way.discard(done)
        self._room.set()
        if not done.cancelled():
            done.exception()  # seen: a caller that gave up leaves no warning behind

    def _note_failure(self, done: asyncio.Future[Position]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self._failures.append(error)

    def _give_up(self, task: asyncio.Task[None]) -> None:
        """Nobody waits for what will not be sent any more."""
        ended = None if task.cancelled() else task.exception()
        for done in set(self._under_way):
            _fail(done, ended or ConnectionError("the client was closed"))

    async def _run(self) -> None:
        while True:
            outgoing = await self._queue.get()
            try:
                sent = await self._producer.send(
                    self._topic,
                    outgoing.value,
                    outgoing.key,
                    timestamp_ms=outgoing.log_ms,
                    headers=list(outgoing.headers),  # aiokafka takes no other sequence
                )
            except (KafkaError, OSError, RuntimeError) as error:
                _fail(outgoing.done, error)
            else:
                sent.add_done_callback(partial(_settle, outgoing.done))


def _settle(done: asyncio.Future[Position], sent: asyncio.Future[Position]) -> None:
    if sent.cancelled():
        _fail(done, ConnectionError("the producer was closed"))
        return
    error = sent.exception()
    if error is not None:
        _fail(done, error)
    elif not done.done():
        done.set_result(sent.result())


def _fail(done: asyncio.Future[Position], error: BaseException) -> None:
    if not done.done():
        done.set_exception(DeliveryFailed(f"{type(error).__name__}: {error}"))
