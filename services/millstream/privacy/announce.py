"""What is said on the topics when a shopper is to be forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from uuid_utils import uuid7

from millstream.domain.acceptance import Shopper
from millstream.domain.clock import Clock, as_datetime
from millstream.domain.erasures import Erasure
from millstream.domain.events import Event, EventType
from millstream.domain.identity import record_key
from millstream.domain.lists import Origin

_encode = msgspec.json.Encoder().encode


class SentRecord(Protocol):
    """What the broker says of a record: `timestamp` is its log time, by whoever's clock."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...


class Producer(Protocol):
    """aiokafka's, as far as it is used here: returns when all in-sync replicas have it."""

    async def send_and_wait(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        timestamp_ms: int | None = None,
    ) -> SentRecord: ...


@dataclass(frozen=True, slots=True)
class Topics:
    """Full names."""

    events: str
    erasures: str
    lists: str


class Announcer:
    def __init__(self, producer: Producer, topics: Topics, clock: Clock) -> None:
        self._producer = producer
        self._topics = topics
        self._clock = clock

    async def ask(self, shoppers: Sequence[Shopper]) -> list[Erasure]:
        """Returns when it is durable; raises what the producer raises, and may be repeated.

        The event comes first: its log time is the mark, whatever this machine's clock says."""
        return [await self._ask(*shopper) for shopper in shoppers]

    async def _ask(self, tenant: str, shopper: str) -> Erasure:
        now, key = self._clock(), record_key(tenant, shopper)
        sent = await self._producer.send_and_wait(
            self._topics.events,
            _encode(_event(tenant, shopper, now)),
            key,
            timestamp_ms=now,
        )
        erasure = Erasure(
            tenant=tenant,
            user=shopper,
            time=as_datetime(sent.timestamp),
            origin=Origin(self._topics.events, sent.partition, sent.offset),
        )
        await self._producer.send_and_wait(self._topics.erasures, _encode(erasure), key)
        return erasure

    async def take_back_list(self, erasure: Erasure) -> SentRecord:
        """A tombstone for the shopper's list; durable on return."""
        return await self._producer.send_and_wait(
            self._topics.lists, None, record_key(erasure.tenant, erasure.user)
        )


def _event(tenant: str, shopper: str, now_ms: int) -> Event:
    anonymous = shopper.startswith("~")
    return Event(
        event_id=str(uuid7()),
        type=EventType.ERASE,
        time=as_datetime(now_ms),
        tenant=tenant,
        user_id=None if anonymous else shopper,
        anonymous_id=shopper[1:] if anonymous else None,
    )
