"""The same clients for a backend without asyncio: the asynchronous one on a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from threading import Thread
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack

from millstream.client.asynchronous import AsyncClient
from millstream.client.composition import EventFields, ReviewFields
from millstream.client.storefront import CLOSE_S, AsyncStorefront, Ranked
from millstream.domain.brokers import Servers
from millstream.domain.clock import Clock, wall_clock
from millstream.domain.events import Event, EventType
from millstream.domain.lists import RecommendationList
from millstream.domain.pseudonyms import Pseudonyms
from millstream.domain.reviews import Review

T = TypeVar("T")
C = TypeVar("C", bound=AsyncStorefront)


class Storefront(Generic[C]):
    """As AsyncStorefront, method by method, with the same errors. Use as `with`, from any
    thread."""

    def __init__(self, client: C) -> None:
        self._client = client
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="millstream-client", daemon=True)
        self._thread.start()
        try:
            self._run(self._client.__aenter__())
        except BaseException:
            self._stop()
            raise

    def close(self, timeout: float = CLOSE_S) -> None:
        """See AsyncStorefront.close."""
        if self._loop is None:
            return
        try:
            self._run(self._client.close(timeout))
        finally:
            self._stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def track(self, type: EventType | str, **fields: Unpack[EventFields]) -> Event:
        return self._run(self._client.track(type, **fields))

    def track_nowait(self, type: EventType | str, **fields: Unpack[EventFields]) -> Event:
        async def track() -> Event:
            return self._client.track_nowait(type, **fields)

        return self._run(track())

    def flush(self) -> None:
        self._run(self._client.flush())

    def recommendations(self, user: str, *, timeout: float = 10.0) -> Ranked | None:
        return self._run(self._client.recommendations(user, timeout=timeout))

    def review(self, item_id: str, **fields: Unpack[ReviewFields]) -> Review:
        return self._run(self._client.review(item_id, **fields))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("the client is not open: use it in a `with` block")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


class Client(Storefront[AsyncClient]):
    """As AsyncClient."""

    def __init__(  # noqa: PLR0913
        self,
        bootstrap_servers: Servers,
        tenant: str = "default",
        topic_prefix: str = "",
        idempotence: bool = True,
        *,
        clock: Clock = wall_clock,
        pseudonyms: Pseudonyms | None = None,
        dry_run: bool = False,
    ) -> None:
        client = AsyncClient(
            bootstrap_servers,
            tenant,
            topic_prefix,
            idempotence,
            clock=clock,
            pseudonyms=pseudonyms,
            dry_run=dry_run,
        )
        super().__init__(client)

    def recommendations(
        self, user: str, *, after: Event | None = None, timeout: float = 10.0
    ) -> RecommendationList | None:
        return self._run(self._client.recommendations(user, after=after, timeout=timeout))
