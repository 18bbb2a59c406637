"""A recommender without Faust or a group: the partitions it is told, by one plain consumer.

Run as a process of its own by tier B (nursery.py), where a kill costs a second instead of a session
timeout. All that counts is the recommender's own: its worker, its stages, what runs beside them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition

from millstream.domain.failpoints import failpoint
from millstream.recommender.settings import RecommenderSettings
from millstream.recommender.wiring import Running, running
from millstream.recommender.worker import Worker
from millstream.settings import load
from millstream.streaming.chunks import Chunk, LogBounds
from millstream.streaming.topics import EVENTS

PARTITIONS_VARIABLE = "MILLSTREAM_CHAOS_PARTITIONS"
WATERMARK_S = 0.5
POLL_MS = 200
STOP_S = 5.0
HALTED = 70

log = structlog.get_logger()


class BareLoop:
    def __init__(
        self, worker: Worker, consumer: AIOKafkaConsumer, places: list[TopicPartition]
    ) -> None:
        self._worker = worker
        self._consumer = consumer
        self._places = places

    async def rewind(self) -> None:
        starts = await self._consumer.beginning_offsets(self._places)
        bounds = {
            (place.topic, place.partition): LogBounds(
                starts[place], await self._consumer.committed(place)
            )
            for place in self._places
        }
        for place, offset in (await self._worker.resume(bounds)).items():
            self._consumer.seek(TopicPartition(*place), offset)

    async def fetch(self) -> None:
        while True:
            batches = await self._consumer.getmany(timeout_ms=POLL_MS)
            failpoint("after-poll")
            await self._worker.deliver(
                [
                    Chunk(at.topic, at.partition, records)
                    for at, records in batches.items()
                    if records
                ]
            )

    async def commit(self) -> None:
        while True:
            await asyncio.sleep(WATERMARK_S)
            offsets = {
                TopicPartition(*place): OffsetAndMetadata(offset, "")
                for place, offset in self._worker.watermark().items()
            }
            failpoint("before-commit")
            if offsets:
                await self._consumer.commit(offsets)
            failpoint("after-commit")


async def main() -> None:
    """Until SIGTERM. Raises what ends a recommender."""
    settings = load(RecommenderSettings)
    numbers = os.environ[PARTITIONS_VARIABLE].split(",")
    places = [TopicPartition(settings.topic(EVENTS), int(number)) for number in numbers]
    assigned = {(place.topic, place.partition) for place in places}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=settings.topic(settings.group),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
    )
    async with running(settings, lambda: assigned) as run:
        await consumer.start()
        try:
            consumer.assign(places)
            loop = BareLoop(run.worker, consumer, places)
            await loop.rewind()
            await _until_told(run, loop)
        finally:
            await run.worker.stop(STOP_S)
            await consumer.stop()


async def _until_told(run: Running, loop: BareLoop) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)

    async def guarded(make: Callable[[], Awaitable[None]]) -> None:
        await make()

    beside = [guarded(make) for make in run.beside]
    tasks = [
        asyncio.create_task(work)
        for work in (
            loop.fetch(),
            loop.commit(),
            run.worker.run(loop.rewind),
            *beside,
            _wait(told),
        )
    ]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    _, deaf = await asyncio.wait(pending, timeout=STOP_S)
    if deaf:
        _leave(done, deaf)
    for task in done:
        task.result()


def _leave(done: set[asyncio.Task[None]], deaf: set[asyncio.Task[None]]) -> None:
    """A task that took its cancellation for something else would keep the process, which counts
    nothing any more, for ever: a supervisor waits for an exit."""
    why = [repr(task.exception()) for task in done]
    at = [place for task in deaf for place in _places(task.get_coro())]
    log.error("bare worker stopped", why=why, deaf=[repr(task) for task in deaf], at=at)
    sys.stdout.flush()
    os._exit(HALTED)


def _places(waiting: Any) -> Iterator[str]:
    """Where a coroutine stands, from the outermost call inwards; a task tells only the first."""
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        if frame is not None:
            yield f"{frame.f_code.co_filename}:{frame.f_lineno}"
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)


async def _wait(told: asyncio.Event) -> None:
    await told.wait()


def run() -> int:
    """The exit code."""
    try:
        asyncio.run(main())
    except Exception as error:  # noqa: BLE001  whatever ended it: a supervisor decides
        log.error("bare worker stopped", why=f"{type(error).__name__}: {error}")
        return HALTED
    return 0
