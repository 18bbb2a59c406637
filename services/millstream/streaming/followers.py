"""Reading all of a compacted topic, in no group: each process has the whole of it in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.structs import ConsumerRecord

from millstream.domain.brokers import Servers
from millstream.domain.errors import OperatorError
from millstream.streaming.access import access
from millstream.streaming.header_names import read_any_header_name
from millstream.streaming.starting import no_right, started

Take = Callable[[ConsumerRecord[Any, Any]], None]
"""Called with each record in log order per partition; must not block."""

AfterFetch = Callable[[], Awaitable[None]]
"""Called after each fetch, also one that found nothing, and when the follower ends."""

POLL_MS = 200
BROKER_WAIT_MS = 500
"""A worker follows several topics that seldom change: each question costs it a millisecond or two.
Apache Kafka answers at once when a record comes, the embedded broker within half of it."""


class Follower:
    """From the start of the topic to the end seen at start, then on as records come."""

    def __init__(
        self, consumer: AIOKafkaConsumer, take: Take, after_fetch: AfterFetch | None = None
    ) -> None:
        self._consumer = consumer
        self._take = take
        self._after_fetch = after_fetch
        self._ends: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None
        self.caught_up = asyncio.Event()

    async def start(self) -> None:
        await self._consumer.start()
        self._task = asyncio.create_task(self._follow(), name="follower")

    async def wait_caught_up(self, timeout: float) -> bool:
        """False when `timeout` seconds went by first; raises what ended the follower."""
        caught_up = asyncio.create_task(self.caught_up.wait())
        ended = self._task or caught_up
        await asyncio.wait({caught_up, ended}, timeout=timeout, return_when="FIRST_COMPLETED")
        caught_up.cancel()
        self.raise_what_ended_it()
        return self.caught_up.is_set()

    @property
    def has_ended(self) -> bool:
        return self._task is None or self._task.done()

    async def run_to_its_end(self) -> None:
        """Waits while it follows; raises what ended it. To be cancelled without harm to it."""
        if self._task is not None:
            await asyncio.shield(self._task)
        raise RuntimeError("the follower has ended")

    def raise_what_ended_it(self) -> None:
        if self._task is not None and self._task.done():
            self._task.result()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._consumer.stop()

    async def _follow(self) -> None:
        try:
            await self._fetch_for_ever()
        finally:
            if self._after_fetch is not None:
                await self._after_fetch()

    async def _fetch_for_ever(self) -> None:
        while True:
            chunks = await self._consumer.getmany(timeout_ms=POLL_MS)
            for records in chunks.values():
                for record in records:
                    self._take(record)
            if not self.caught_up.is_set() and await self._is_caught_up():
                self.caught_up.set()
            if self._after_fetch is not None:
                await self._after_fetch()

    async def _is_caught_up(self) -> bool:
        """Against the end that each partition's first fetch told: the embedded broker's answer
        to the question for the end offset is too low."""
        assignment = self._consumer.assignment()
        for partition in assignment - self._ends.keys():
            end = self._consumer.highwater(partition)
            if end is None:
                return False
            self._ends[partition] = end
        for partition in assignment:
            if await self._consumer.position(partition) < self._ends[partition]:
                return False
        return bool(assignment)


async def read_to_its_end(
    follower: Follower, servers: Servers, topic: str, seconds: float, needed: str
) -> None:
    """Starts it; returns once it has caught up, and it follows on. Where it does not it is closed
    again; raises OperatorError after `seconds`, saying what was `needed`, where no broker answers,
    and where we may not read the topic."""
    try:
        await started(follower, servers)
        if not await follower.wait_caught_up(seconds):
            raise OperatorError(
                f"topic {topic}",
                f"one that was not read to its end in {seconds:.0f} s",
                needed,
                "Check the brokers' health",
            )
    except BaseException as error:
        await follower.close()
        if isinstance(error, TopicAuthorizationFailedError):
            raise no_right("read", servers, error) from None
        raise


def follow(servers: Servers, topic: str, take: Take) -> Follower:
    """A follower that is not started yet; to be called inside a running loop."""
    return follow_all(servers, {topic: take})


def follow_all(servers: Servers, takers: Mapping[str, Take]) -> Follower:
    """As `follow`, of each topic: the broker is asked for all of them at once."""
    read_any_header_name()
    consumer = AIOKafkaConsumer(
        *takers,
        **access(servers),
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=BROKER_WAIT_MS,
    )
    return Follower(consumer, lambda record: takers[record.topic](record))
