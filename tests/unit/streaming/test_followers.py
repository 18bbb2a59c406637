"""A follower that dies is noticed by whoever waits for its end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import TopicAuthorizationFailedError

from millstream.domain.errors import OperatorError
from millstream.streaming.followers import Follower, read_to_its_end


class BrokenConsumer:
    def __init__(self, error: Exception | None = None) -> None:
        self.broken = asyncio.Event()
        self.stopped = False
        self._error = error or ConnectionError("gone")

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.stopped = True

    async def getmany(self, timeout_ms: int) -> dict[Any, Any]:  # noqa: ARG002
        await self.broken.wait()
        raise self._error


async def test_the_end_of_a_follower_is_raised_to_who_waits_for_it() -> None:
    consumer = BrokenConsumer()
    follower = Follower(consumer, lambda _record: None)
    await follower.start()
    waiting = asyncio.create_task(follower.run_to_its_end())
    await asyncio.sleep(0)
    assert not waiting.done()
    consumer.broken.set()
    with pytest.raises(ConnectionError, match="gone"):
        async with asyncio.timeout(5):
            await waiting
    await follower.close()


async def test_who_stops_waiting_does_not_stop_it() -> None:
    follower = Follower(BrokenConsumer(), lambda _record: None)
    await follower.start()
    waiting = asyncio.create_task(follower.run_to_its_end())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert not follower.has_ended
    await follower.close()


async def test_a_topic_that_we_may_see_and_not_read_is_told_to_the_operator() -> None:
    consumer = BrokenConsumer(TopicAuthorizationFailedError("reco.experiments.v1"))
    consumer.broken.set()
    follower = Follower(consumer, lambda _record: None)
    with pytest.raises(OperatorError, match=r"may not read topic reco\.experiments\.v1"):
        await read_to_its_end(follower, "kafka:9092", "reco.experiments.v1", 30, "all of it")
    assert consumer.stopped
