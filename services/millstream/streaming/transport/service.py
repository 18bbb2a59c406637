"""A service that reads its topic through Faust: what stands behind the pipeline starts before Faust
joins the group and ends after it, and whatever fails there ends the process with its reason."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, NoReturn

import faust

from millstream.domain.brokers import Servers
from millstream.domain.errors import Halt, OperatorError
from millstream.domain.log import Partition
from millstream.streaming.chunks import Chunk, LogBounds
from millstream.streaming.telemetry import AT_WORK
from millstream.streaming.transport.app import ChunkApp
from millstream.streaming.transport.preconditions import require_wiring
from millstream.streaming.transport.way_out import HALTED, leave_in_time

Run = Callable[[], Awaitable[None]]


class ServiceApp(ChunkApp):
    """`name`: of its one agent."""

    def __init__(
        self, name: str, group: str, source: str, brokers: Servers, session_timeout_s: float
    ) -> None:
        self._behind = AsyncExitStack()
        self._beside: Sequence[Run] = ()
        self._is_ending = False
        super().__init__(group, source, brokers, self._positions, session_timeout_s)

        @self.agent(self.chunks(), name=name, use_reply_headers=False)
        async def read(fetches: Any) -> None:
            try:
                async for chunks in fetches:
                    await self.take(chunks)
            except Exception as error:
                self._stopped_because(error)
                raise

    @abstractmethod
    async def started_behind(self, behind: AsyncExitStack) -> Sequence[Run]:
        """Starts what stands behind; `behind` ends it. What it returns must go on while the service
        does: each runs until cancelled, and its failure stops the process. Raises Halt or
        OperatorError where the deployment is not ready."""

    @abstractmethod
    async def positions(self, bounds: Mapping[Partition, LogBounds]) -> Mapping[Partition, int]:
        """As streaming.chunks.Resume."""

    @abstractmethod
    async def take(self, chunks: Sequence[Chunk]) -> None:
        """One fetch. What it raises stops the process."""

    async def settled(self) -> None:
        """What is in work when the end comes gets its time here; nothing where nothing stands."""

    async def on_first_start(self) -> None:
        try:
            self._beside = await self.started_behind(self._behind)
        except (Halt, OperatorError) as error:
            self._stopped_because(error)
            raise
        await super().on_first_start()

    async def on_started(self) -> None:
        await super().on_started()
        for run in self._beside:
            self.add_future(self._guarded(run))
        AT_WORK.set(1)

    async def on_stop(self) -> None:
        await super().on_stop()
        self._is_ending = True
        await self.settled()
        await self._behind.aclose()

    async def _positions(self, bounds: Mapping[Partition, LogBounds]) -> Mapping[Partition, int]:
        try:
            return await self.positions(bounds)
        except Exception as error:
            # Faust would only log it and read on from where it likes.
            self._stopped_because(error)
            await self.crash(error)
            raise

    def _stopped_because(self, error: Exception) -> None:
        """The first is the reason: what comes after it fails because of it."""
        if self.stopped_by is None:
            self.stopped_by = error

    async def _guarded(self, run: Run) -> None:
        try:
            await run()
        except Exception as error:
            if self._is_ending:
                return  # what it stood on is closed; it began nothing that must not be lost
            self._stopped_because(error)
            raise


def run_service(app: ServiceApp, log_why: Callable[[str], None]) -> NoReturn:
    """Until SIGTERM or SIGINT. Raises OperatorError; exits with 0, or with 70 where going on would
    lose or double something, once the reason is logged; a supervisor outside starts it again."""
    require_wiring(app)
    leave_in_time(lambda: app.stopped_by is not None or app.should_stop)
    worker = faust.Worker(app, quiet=True, redirect_stdouts=False, override_logging=False)
    try:
        worker.execute_from_commandline()
    except BaseException as ended:
        # What fails or is cancelled while it closes is not why it ended, though Faust raises it.
        if isinstance(app.stopped_by, OperatorError):
            raise app.stopped_by from None
        if app.stopped_by is not None:
            log_why(str(app.stopped_by))
            raise SystemExit(HALTED) from app.stopped_by
        if isinstance(ended, SystemExit):
            raise SystemExit(ended.code) from None
        raise
