"""The client of a storefront backend that runs on asyncio and reaches Kafka."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Unpack

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from millstream.client.composition import EventFields, ReviewFields, compose, compose_review
from millstream.client.lists import ListFollower, Wanted
from millstream.client.outbox import Carrier, DeliveryFailed, Outgoing, Position
from millstream.client.storefront import AsyncStorefront
from millstream.client.to_kafka import ToKafka
from millstream.domain.brokers import Servers
from millstream.domain.clock import Clock, wall_clock
from millstream.domain.events import Event, EventType, Tenant
from millstream.domain.identity import record_key
from millstream.domain.lists import RecommendationList
from millstream.domain.log import SENT_AT
from millstream.domain.pseudonyms import Pseudonyms
from millstream.domain.reviews import Review
from millstream.streaming.access import access
from millstream.streaming.producer import open_producer
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS, REVIEWS

CLIENT_ID = "millstream-client"
LISTS_KEPT = 100_000
POSITIONS_KEPT = 10_000


class AsyncClient(AsyncStorefront):
    """Over Kafka.

    `idempotence` is off only for the embedded broker. `clock` is the time of events that state
    none, and of their records. With `pseudonyms` no raw id leaves the process: events go out and
    lists are looked up under pseudonyms, while everything said to this class and returned by it
    stays in raw ids. A key made later is used by the next client."""

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
        """Raises msgspec.ValidationError, a ValueError, for what is no tenant's name."""
        super().__init__(dry_run=dry_run)
        self._servers = bootstrap_servers
        self._tenant = msgspec.convert(tenant, Tenant)
        self._prefix = topic_prefix
        self._idempotence = idempotence
        self._clock = clock
        self._pseudonyms = pseudonyms
        self._producer: AIOKafkaProducer | None = None
        self._follower: ListFollower | None = None
        self._following = asyncio.Lock()
        self._positions: OrderedDict[str, tuple[int, int]] = OrderedDict()

    async def recommendations(
        self, user: str, *, after: Event | None = None, timeout: float = 10.0
    ) -> RecommendationList | None:
        """As every client's; without `after` the answer comes from memory.

        With it the list must answer that event or a later one; None when none has come within
        `timeout` seconds. The first call starts to read the topic from its beginning: TimeoutError
        if that takes longer than `timeout`."""
        self._open_outbox()
        if self._dry_run:
            return None
        follower = await self._follow()
        key = self._key(user)
        if after is None:
            found = await follower.current(key, timeout)
        else:
            found = await follower.awaited(key, self._newer_than(after), timeout)
        if found is None or found.user == user:
            return found
        return msgspec.structs.replace(found, user=user)

    async def review(self, item_id: str, **fields: Unpack[ReviewFields]) -> Review:
        self._open_outbox()
        now = self._clock()
        said, value = compose_review(item_id, self._tenant, fields, now, self._pseudonyms)
        if self._producer is not None:
            topic, key = f"{self._prefix}{REVIEWS}", self._key(said.shopper)
            try:
                await self._producer.send_and_wait(topic, value, key, timestamp_ms=now)
            except (KafkaError, OSError, RuntimeError) as error:
                raise DeliveryFailed(f"{type(error).__name__}: {error}") from None
        return said

    async def _open(self) -> Carrier:
        producer = open_producer(self._servers, client_id=CLIENT_ID, idempotence=self._idempotence)
        self._producer = producer
        await producer.start()
        return ToKafka(producer, f"{self._prefix}{EVENTS}")

    async def _shut(self) -> None:
        producer, follower = self._producer, self._follower
        self._producer = self._follower = None
        try:
            if producer is not None:
                await producer.stop()
        finally:
            if follower is not None:
                await follower.close()

    def _composed(self, type: EventType | str, fields: EventFields) -> Outgoing:
        now = self._clock()
        event, value = compose(type, self._tenant, fields, now, self._pseudonyms)
        headers = ((SENT_AT, b"%d" % wall_clock()),)
        return Outgoing(event, self._key(event.shopper), value, now, headers)

    def _key(self, shopper: str) -> bytes:
        name = shopper if self._pseudonyms is None else self._pseudonyms.shopper(shopper)
        return record_key(self._tenant, name)

    def _delivered(self, event: Event, place: Position | None) -> None:
        if place is None:
            return
        self._positions[event.event_id] = (place.partition, place.offset)
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
