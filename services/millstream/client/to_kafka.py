"""Events to the topic, through an aiokafka producer."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Protocol

from aiokafka.errors import KafkaError

from millstream.client.outbox import Outgoing, Position, fail


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


class ToKafka:
    """A carrier. The producer batches, and retries on its own."""

    def __init__(self, producer: Producer, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    async def carry(self, queue: asyncio.Queue[Outgoing]) -> None:
        while True:
            outgoing = await queue.get()
            try:
                sent = await self._producer.send(
                    self._topic,
                    outgoing.value,
                    outgoing.key,
                    timestamp_ms=outgoing.log_ms,
                    headers=list(outgoing.headers),  # aiokafka takes no other sequence
                )
            except (KafkaError, OSError, RuntimeError) as error:
                fail(outgoing, error)
            else:
                sent.add_done_callback(partial(_settle, outgoing))


def _settle(outgoing: Outgoing, sent: asyncio.Future[Position]) -> None:
    if sent.cancelled():
        fail(outgoing, ConnectionError("the producer was closed"))
        return
    error = sent.exception()
    if error is not None:
        fail(outgoing, error)
    elif not outgoing.done.done():
        outgoing.done.set_result(sent.result())
