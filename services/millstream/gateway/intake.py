"""Events as they come over HTTP, judged by the very rule that the services apply; pure.

What is refused goes nowhere: the caller is told, and neither topic nor dead letter holds it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from millstream.domain.acceptance import HORIZON_MS, is_late
from millstream.domain.clock import as_datetime
from millstream.domain.decode import decode
from millstream.domain.errors import Reason, Refused
from millstream.domain.events import MAX_RECORD_BYTES, Event, EventType, Tenant
from millstream.domain.identity import record_key
from millstream.domain.reviews import Review
from millstream.gateway.callers import Caller

Said = TypeVar("Said", Event, Review)

MAX_BATCH = 500
UNSTATED = "default"
"""The tenant of an event that names none: it is then the key's."""


class Status(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"


class Verdict(Struct, frozen=True, omit_defaults=True):
    """`reason` and `detail` stand with what was refused: mend it, to send it again is in vain."""

    status: Status
    reason: Reason | None = None
    detail: str | None = None


class Verdicts(Struct, frozen=True):
    """In the order in which they were sent."""

    accepted: int
    refused: int
    verdicts: tuple[Verdict, ...]


class EventBatch(Struct, frozen=True, forbid_unknown_fields=True):
    events: Annotated[tuple[Event, ...], Meta(min_length=1, max_length=MAX_BATCH)]


class _Parts(Struct):
    events: Annotated[tuple[Raw, ...], Meta(min_length=1, max_length=MAX_BATCH)] | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Record:
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Judged:
    """`records`: of the accepted ones, in order; `known_as`: (pseudonym, raw id) of each of their
    shoppers, none where ids go as they come."""

    verdicts: Sequence[Verdict]
    records: Sequence[Record]
    known_as: Sequence[tuple[str, str]]


ACCEPTED = Verdict(Status.ACCEPTED)
_parts = msgspec.json.Decoder(_Parts).decode


def parts_of(body: bytes) -> Sequence[bytes]:
    """The events of a body, unread: one, or those under `events`. Raises msgspec.MsgspecError,
    ValueError or RecursionError for what is neither."""
    events = _parts(body).events
    return (body,) if events is UNSET else [bytes(part) for part in events]


def judge(
    parts: Sequence[bytes], caller: Caller, now_ms: int, replayed_ms: int | None = None
) -> Judged:
    """`replayed_ms`: what time it is in the shop where a recording is replayed; events then happen
    at that time, whatever they say."""

    def take(part: bytes) -> tuple[Event, Event]:
        event = _of_tenant(decode(part, (), now_ms), caller.tenant, now_ms)
        if replayed_ms is not None:
            event = msgspec.structs.replace(event, time=as_datetime(replayed_ms))
        return event, event if caller.pseudonyms is None else caller.pseudonyms.event(event)

    return judge_each(parts, caller, take)


def judge_each(
    parts: Sequence[bytes], caller: Caller, take: Callable[[bytes], tuple[Said, Said]]
) -> Judged:
    """`take`: what a part says, and as it is sent on; raises Refused."""
    verdicts: list[Verdict] = []
    records: list[Record] = []
    known_as: dict[str, str] = {}
    for part in parts:
        try:
            said, sent = take(part)
            records.append(_record(sent))
        except Refused as refused:
            verdicts.append(Verdict(Status.REFUSED, refused.reason, refused.detail))
            continue
        verdicts.append(ACCEPTED)
        if caller.pseudonyms is not None:
            known_as[sent.shopper] = said.shopper
    return Judged(verdicts, records, tuple(known_as.items()))


def told(verdicts: Sequence[Verdict]) -> Verdicts:
    accepted = sum(verdict.status is Status.ACCEPTED for verdict in verdicts)
    return Verdicts(accepted, len(verdicts) - accepted, tuple(verdicts))


def check_tenant(given: Tenant, tenant: Tenant) -> None:
    """A key speaks for its own tenant alone. Raises Refused."""
    if given not in (UNSTATED, tenant):
        raise Refused(Reason.BAD_ID, "tenant is not that of the API key; leave it out")


def _of_tenant(event: Event, tenant: Tenant, now_ms: int) -> Event:
    check_tenant(event.tenant, tenant)
    if event.type is EventType.ERASE:
        raise Refused(
            Reason.UNKNOWN_EVENT_TYPE, "an erasure is asked for at /v1/erasures, with scope admin"
        )
    if is_late(event, now_ms):
        raise Refused(Reason.LATE, f"time is more than {HORIZON_MS} ms ago")
    return event if event.tenant == tenant else msgspec.structs.replace(event, tenant=tenant)


def _record(sent: Event | Review) -> Record:
    value = msgspec.json.encode(sent)
    if len(value) > MAX_RECORD_BYTES:  # pseudonyms and the tenant may be longer than what was said
        raise Refused(
            Reason.TOO_LARGE, f"{len(value)} bytes as sent on; at most {MAX_RECORD_BYTES}"
        )
    return Record(record_key(sent.tenant, sent.shopper), value)
