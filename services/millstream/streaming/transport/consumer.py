"""Faust's consumer without a memory of its own: it seeks where the owner of the state says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol, cast

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from millstream.domain.log import Partition
from millstream.streaming.chunks import Resume
from millstream.streaming.transport.thread import ConsumerThread


class Owner(Protocol):
    """The app that reads; `source`: the one topic that it reads in chunks."""

    source: str
    resume: Resume


class _NoReadOffsets(dict[TP, Any]):
    """Faust drops what lies below the offset it remembers, also after a seek back; we check the
    order of offsets ourselves, so it is to remember nothing."""

    def __getitem__(self, _tp: TP) -> None:
        return None

    def __setitem__(self, _tp: TP, _offset: Any) -> None:
        pass

    def update(self, *_args: Any, **_kwargs: Any) -> None:
        pass


class ChunkConsumer(driver.Consumer):
    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _NoReadOffsets()
        self._seeking = asyncio.Lock()

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Faust would go to the committed offsets; we go where the state stands. Asked for by
        several tasks, and the assignment may change meanwhile: one at a time, until what was asked
        about is what is assigned."""
        app = cast(Owner, self.app)
        async with self._seeking:
            asked: set[TP] | None = None
            while (assigned := self._of_source(app)) and assigned != asked:
                asked = assigned
                bounds = await self._thread.call_thread(self._thread.bounds, asked)
                positions = await app.resume(bounds)
                if self._of_source(app) == asked:
                    await self.seek_wait({TP(*tp): offset for tp, offset in positions.items()})

    def _of_source(self, app: Owner) -> set[TP]:
        return {tp for tp in self.assignment() if tp.topic == app.source}

    async def commit_watermark(self, offsets: Mapping[Partition, int], epoch: str) -> bool:
        """Advisory: lag exporters and scalers read it. False when it was refused."""
        return bool(await self._thread.call_thread(self._thread.commit_watermark, offsets, epoch))
