"""Stage: each due shopper's list to the topic, durable before the position moves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from millstream.domain.clock import Clock, as_datetime
from millstream.domain.identity import ShopperName, record_key
from millstream.domain.lists import Origin, RankedItem, RecommendationList, recommendation_id
from millstream.domain.log import SENT_AT, Headers
from millstream.streaming.decode import Arrival
from millstream.streaming.tracing import continued

_encode = msgspec.json.Encoder().encode
_MILLISECONDS = re.compile(rb"\d{1,16}")


class Producer(Protocol):
    """An aiokafka producer: `send` returns when the record is queued, with a future that is done
    when it is durable."""

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> asyncio.Future[object]: ...


@dataclass(frozen=True, slots=True)
class Topics:
    """Full names: what is answered, and where the answers go."""

    events: str
    lists: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A list before it has its times. `items` is None for a shopper who was erased. `variant`,
    `settings_digest`: how it was made."""

    name: ShopperName
    arrival: Arrival
    items: tuple[RankedItem, ...] | None
    model_version: str
    variant: str
    settings_digest: str

    @classmethod
    def tombstone(cls, name: ShopperName, arrival: Arrival) -> Draft:
        return cls(name, arrival, None, "", "", "")


@dataclass(frozen=True, slots=True)
class Published:
    """`erased`: who got a tombstone instead of a list."""

    lists: Sequence[RecommendationList]
    erased: Sequence[ShopperName]


@dataclass(frozen=True, slots=True)
class Sending:
    """Lists on their way to the brokers."""

    drafts: Sequence[Draft]
    lists: Sequence[RecommendationList]
    waiting: Sequence[asyncio.Future[object]]

    async def durable(self) -> Published:
        """Returns when every list is; raises what the producer raises."""
        await asyncio.gather(*self.waiting)
        return Published(self.lists, [draft.name for draft in self.drafts if draft.items is None])


class Publisher:
    def __init__(self, producer: Producer, topics: Topics, clock: Clock) -> None:
        self._producer = producer
        self._topics = topics
        self._clock = clock

    async def send(self, drafts: Sequence[Draft]) -> Sending:
        """Returns when every list is queued; raises what the producer raises."""
        lists: list[RecommendationList] = []
        waiting = []
        for draft in drafts:
            ranked = None if draft.items is None else self._list(draft, draft.items)
            waiting.append(await self._send(draft, ranked))
            if ranked is not None:
                lists.append(ranked)
        return Sending(drafts, lists, waiting)

    async def _send(
        self, draft: Draft, ranked: RecommendationList | None
    ) -> asyncio.Future[object]:
        return await self._producer.send(
            self._topics.lists,
            None if ranked is None else _encode(ranked),
            record_key(*draft.name),
            headers=_headers(draft.arrival),
        )

    def _list(self, draft: Draft, items: tuple[RankedItem, ...]) -> RecommendationList:
        tenant, shopper = draft.name
        origin = Origin(self._topics.events, draft.arrival.partition, draft.arrival.offset)
        return RecommendationList(
            recommendation_id=recommendation_id(tenant, shopper, origin),
            tenant=tenant,
            user=shopper,
            variant=draft.variant,
            items=items,
            model_version=draft.model_version,
            settings_digest=draft.settings_digest,
            origin=origin,
            event_time=draft.arrival.event.time,
            log_time=as_datetime(draft.arrival.log_ms),
            published_at=as_datetime(self._clock()),
        )


def _headers(arrival: Arrival) -> list[tuple[str, bytes]]:
    place = {"partition": arrival.partition, "offset": arrival.offset}
    traced = continued("recommend", arrival.headers, arrival.log_ms, **place)
    return [*_sent_at(arrival.headers), *traced]


def _sent_at(headers: Headers) -> list[tuple[str, bytes]]:
    """The first that is one: what a stranger put into a header must not outgrow a list's record."""
    for name, content in headers:
        if name == SENT_AT and content is not None and _MILLISECONDS.fullmatch(content):
            return [(name, content)]
    return []
