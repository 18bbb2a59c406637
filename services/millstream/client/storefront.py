"""What a client does over any transport: the calls, and the life of the outbox behind them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self, Unpack

from millstream.client.composition import EventFields, ReviewFields
from millstream.client.outbox import Carrier, DryRun, Outbox, Outgoing, Position
from millstream.domain.events import Event, EventType
from millstream.domain.reviews import Review

OUTBOX_CAPACITY = 10_000
CLOSE_S = 30.0


class Listed(Protocol):
    """An item of a list. `reason` is None where the transport does not tell it."""

    @property
    def item_id(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def source(self) -> str: ...
    @property
    def reason(self) -> str | None: ...


class Ranked(Protocol):
    """A list, as every transport tells it."""

    @property
    def recommendation_id(self) -> str: ...
    @property
    def model_version(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def items(self) -> Sequence[Listed]: ...


class AsyncStorefront(ABC):
    """Sends what shoppers do, reads what they are recommended. Use as `async with`.

    At most OUTBOX_CAPACITY events are under way: then `track` waits and `track_nowait` raises
    OutboxFull; nothing is dropped. With `dry_run` events are judged and go nowhere, there is no
    list, and nothing is connected to."""

    def __init__(self, *, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._outbox: Outbox | None = None

    async def start(self) -> None:
        """Raises an OSError or aiokafka's KafkaConnectionError where nobody answers."""
        carrier = DryRun() if self._dry_run else await self._open()
        self._outbox = Outbox(carrier, OUTBOX_CAPACITY)

    async def close(self, timeout: float = CLOSE_S) -> None:
        """Sends what is under way, for `timeout` seconds at most; raises DeliveryFailed as `flush`
        does, with the events that were not acknowledged, but closes all."""
        outbox, self._outbox = self._outbox, None
        try:
            if outbox is not None:
                await outbox.close(timeout)
        finally:
            await self._shut()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def track(self, type: EventType | str, **fields: Unpack[EventFields]) -> Event:
        """Returns the event once it is acknowledged: by then Kafka has it.

        Raises InvalidEvent (a ValueError) for what is refused, before anything is sent but for
        what only a gateway finds; DeliveryFailed where it may or may not have arrived."""
        outgoing = self._composed(type, fields)
        self._delivered(outgoing.event, await self._open_outbox().deliver(outgoing))
        return outgoing.event

    def track_nowait(self, type: EventType | str, **fields: Unpack[EventFields]) -> Event:
        """Returns at once; `flush` waits for the acknowledgement and tells of failures.

        Raises InvalidEvent, and OutboxFull while too many events are under way."""
        outgoing = self._composed(type, fields)
        outgoing.done.add_done_callback(
            lambda done: (
                None
                if done.cancelled() or done.exception()
                else self._delivered(outgoing.event, done.result())
            )
        )
        self._open_outbox().post(outgoing)
        return outgoing.event

    async def flush(self) -> None:
        """Waits for all that is under way. Raises DeliveryFailed where an event sent by
        `track_nowait` since the last flush was not acknowledged, or was refused."""
        await self._open_outbox().flush()

    @abstractmethod
    async def recommendations(self, user: str, *, timeout: float = 10.0) -> Ranked | None:
        """The newest list of a shopper (`Event.shopper`: `~` before an anonymous id); None where
        there is none. Raises TimeoutError where that can't be told within `timeout` seconds."""

    @abstractmethod
    async def review(self, item_id: str, **fields: Unpack[ReviewFields]) -> Review:
        """Returns the review once it is acknowledged: by then Kafka has it. Raises as `track`;
        DeliveryFailed then names no events."""

    @abstractmethod
    async def _open(self) -> Carrier: ...

    @abstractmethod
    async def _shut(self) -> None:
        """Also of what `_open` did not come to open."""

    @abstractmethod
    def _composed(self, type: EventType | str, fields: EventFields) -> Outgoing:
        """Raises InvalidEvent."""

    def _delivered(self, event: Event, place: Position | None) -> None:  # noqa: B027
        """An event was acknowledged."""

    def _open_outbox(self) -> Outbox:
        if self._outbox is None:
            raise RuntimeError("the client is not open: use it in a `with` block")
        return self._outbox
