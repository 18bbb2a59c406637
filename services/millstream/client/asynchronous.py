"""The client of a storefront backend that runs on asyncio."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from types import TracebackType
from typing import Self, Unpack

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from millstream.client.composition import EventFields, compose
from millstream.client.lists import ListFollower, Wanted
from millstream.client.outbox import Outbox, Outgoing, Position
from millstream.domain.brokers import Servers
from millstream.domain.clock import Clock, wall_clock
from millstream.domain.events import Event, EventType, Tenant
from millstream.domain.identity import record_key
from millstream.domain.lists import RecommendationList
from millstream.domain.log import SENT_AT
from millstream.domain.pseudonyms import Pseudonyms
from millstream.streaming.access import access
from millstream.streaming.producer import open_producer
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS

CLIENT_ID = "millstream-client"
OUTBOX_CAPACITY = 10_000
LISTS_KEPT = 100_000
POSITIONS_KEPT = 10_000


class AsyncClient:
    """Sends what shoppers do, reads what they are recommended. Use as `async with`.

    `idempotence` is off only for the embedded broker. `clock` is the time of events that state
    none, and of their records. With `pseudonyms` no raw id leaves the process: events go out and
    lists are looked up under pseudonyms, while everything said to this class and returned by it
    stays in raw ids. A key made later is used by the next client."""

    def __init__(
        self,
        bootstrap_servers: Servers,
        tenant: str = "default",
        topic_prefix: str = "",
        idempotence: bool = True,
        *,
        clock: Clock = wall_clock,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        """Raises msgspec.ValidationError, a ValueError, for what is no tenant's name."""
        self._servers = bootstrap_servers
        self._tenant = msgspec.convert(tenant, Tenant)
        self._prefix = topic_prefix
        self._idempotence = idempotence
        self._clock = clock
        self._pseudonyms = pseudonyms
        self._producer: AIOKafkaProducer | None = None
        self._outbox: Outbox | None = None
        self._follower: ListFollower | None = None
        self._following = asyncio.Lock()
        self._positions: OrderedDict[str, tuple[int, int]] = OrderedDict()

    async def start(self) -> None:
        """Raises aiokafka's KafkaConnectionError where no broker answers."""
        producer = open_producer(self._servers, client_id=CLIENT_ID, idempotence=self._idempotence)
        self._producer = producer
        await producer.start()
        self._outbox = Outbox(producer, f"{self._prefix}{EVENTS}", OUTBOX_CAPACITY)

    async def close(self) -> None:
        """Sends what is under way; raises DeliveryFailed as `flush` does, but closes all."""
        outbox, producer, follower = self._outbox, self._producer, self._follower
        self._outbox = self._producer = self._follower = None
        try:
            if outbox is not None:
                await outbox.close()
        finally:
            if producer is not None:
                await producer.stop()
            if follower is not None:
                await follower.close()

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
        """Returns the event once Kafka has acknowledged it.

        Raises InvalidEvent (a ValueError) before anything is sent, DeliveryFailed after."""
        event, outgoing = self._outgoing(type, fields)
        self._remember(event, await self._open_outbox().deliver(outgoing))
        return event

    def track_nowait(self, type: EventType | str, **fields: Unpack[EventFields]) -> Event:
        """Returns at once; `flush` waits for the acknowledgement and tells of failures.

        Raises InvalidEvent, and OutboxFull while too many events are under way."""
        event, outgoing = self._outgoing(type, fields)
        outgoing.done.add_done_callback(
            lambda done: None if done.exception() else self._remember(event, done.result())
        )
        self._open_outbox().post(outgoing)
        return event

    async def flush(self) -> None:
        """Waits for all that is under way. Raises DeliveryFailed where an event sent by
        `track_nowait` since the last flush was not acknowledged."""
        await self._open_outbox().flush()

    async def recommendations(
        self, user: str, *, after: Event | None = None, timeout: float = 10.0
    ) -> RecommendationList | None:
        """The newest list of a shopper (`Event.shopper`: `~` before an anonymous id).

        Without `after` the answer comes from memory, None where there is no list. With it the
        list must answer that event or a later one; None when none has come within `timeout`
        seconds. The first call starts to read the topic from its beginning: TimeoutError if that
        takes longer than `timeout`."""
        follower = await self._follow()
        key = self._key(user)
        if after is None:
            found = await follower.current(key, timeout)
        else:
            found = await follower.awaited(key, self._newer_than(after), timeout)
        if found is None or found.user == user:
            return found
        return msgspec.structs.replace(found, user=user)

    def _outgoing(self, type: EventType | str, fields: EventFields) -> tuple[Event, Outgoing]:
        now = self._clock()
        event, value = compose(type, self._tenant, fields, now, self._pseudonyms)
        headers = ((SENT_AT, b"%d" % wall_clock()),)
        return event, Outgoing(self._key(event.shopper), value, now, headers)

    def _key(self, shopper: str) -> bytes:
        name = shopper if self._pseudonyms is None else self._pseudonyms.shopper(shopper)
        return record_key(self._tenant, name)

    def _open_outbox(self) -> Outbox:
        if self._outbox is None:
            raise RuntimeError("the client is not open: use it in a `with` block")
        return self._outbox

    def _remember(self, event: Event, position: Position) -> None:
        self._positions[event.event_id] = (position.partition, position.offset)
        if len(self._positions) > POSITIONS_KEPT:
            self._positions.popitem(last=False)

    def _newer_than(self, event: Event) -> Wanted:
        """By place in the log where this client sent the event, otherwise by event time."""
        place = self._positions.get(event.event_id)

        def is_newer(given: RecommendationList) -> bool:
            if place is None or given.origin.partition != place[0]:
                return given.event_time >= event.time
            return given.origin.offset >= place[1]

        return is_newer

    async def _follow(self) -> ListFollower:
        self._open_outbox()
        async with self._following:
            if self._follower is None:
                consumer = AIOKafkaConsumer(
                    f"{self._prefix}{RECOMMENDATIONS}",
                    **access(self._servers),
                    client_id=CLIENT_ID,
                    group_id=None,
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",
                )
                follower = ListFollower(consumer, self._tenant, LISTS_KEPT)
                await follower.start()
                self._follower = follower
        return self._follower
