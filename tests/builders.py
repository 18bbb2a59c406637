"""Events and records as tests need them: what a test does not name does not matter to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
from aiokafka.structs import ConsumerRecord

from millstream.domain.clock import as_datetime
from millstream.domain.demand import DemandForecast
from millstream.domain.events import Event, EventType, Line
from millstream.domain.identity import record_key
from millstream.streaming.decode import Arrival, Decoded, Letter

if TYPE_CHECKING:
    from millstream.streaming.decode import Record

NOON_MS = 1_790_000_000_000
"""A moment in 2026 from which tests count."""

TOPIC = "t.shop.events.v1"


def event(
    event_id: str = "e1",
    user: str | None = "ann",
    *items: str,
    kind: EventType = EventType.VIEW_ITEM,
    at_ms: int = NOON_MS,
    **more: Any,
) -> Event:
    """`items` default to one where the type wants some."""
    wants = kind not in (EventType.ERASE, EventType.SEARCH, EventType.REFUND)
    names = items or (("i1",) if wants else ())
    return Event(
        event_id=event_id,
        type=kind,
        time=as_datetime(at_ms),
        user_id=user,
        items=tuple(Line(name) for name in names),
        **more,
    )


def record(
    value: Event | bytes | None,
    offset: int = 0,
    *,
    log_ms: int = NOON_MS,
    partition: int = 0,
    topic: str = TOPIC,
    headers: Sequence[tuple[str, bytes]] = (),
) -> Record:
    body = msgspec.json.encode(value) if isinstance(value, Event) else value
    return ConsumerRecord(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=log_ms,
        timestamp_type=1,
        key=b"key",
        value=body,
        checksum=None,
        serialized_key_size=3,
        serialized_value_size=len(body or b""),
        headers=tuple(headers),
    )


def forecast(item: str, expected: float, tenant: str = "default") -> tuple[bytes, bytes]:
    """Key and value of a record of demand."""
    told = DemandForecast(
        tenant=tenant,
        item_id=item,
        first_week=date(2026, 6, 1),
        level=expected,
        expected=expected,
        low=(0.0,),
        high=(9.0,),
        coverage=0.8,
        weeks_known=30,
        made_at=as_datetime(NOON_MS),
    )
    return record_key(tenant, item), msgspec.json.encode(told)


def arrival(
    what: Event,
    offset: int = 0,
    log_ms: int | None = None,
    headers: Any = (),
    *,
    partition: int = 0,
) -> Arrival:
    at = what.time_ms if log_ms is None else log_ms
    return Arrival(offset, at, what, tuple(headers), partition)


def decoded(
    arrivals: Sequence[Arrival],
    letters: Sequence[Letter] = (),
    *,
    start: int = 0,
    to: int | None = None,
    partition: int = 0,
    topic: str = TOPIC,
) -> Decoded:
    """The range from `start` to `to`, by default to the last of what is in it."""
    placed: list[Arrival | Letter] = [*arrivals, *letters]
    end = max((x.offset for x in placed), default=start - 1) + 1 if to is None else to
    clock = max((x.log_ms for x in placed), default=0)
    return Decoded(topic, partition, start, end, clock, f"{end - 1}:0", arrivals, letters)
