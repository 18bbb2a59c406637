"""Google Analytics 4: a row of its BigQuery export, or a body of the Measurement Protocol.

GA4 gives events no id. One is made here from what tells them apart, so that a line that is sent
again counts once; purchases with one `transaction_id` are one purchase, which is GA4's own rule.
Sources: "[GA4] BigQuery Export schema" and "Measurement Protocol (Google Analytics 4)"."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from millstream.client.adapters.outcome import (
    Faulty,
    Mapped,
    Name,
    NotOurs,
    Outcome,
    first_of,
    moment_of,
    no_item_id,
    read,
    upper,
)
from millstream.client.composition import EventFields
from millstream.domain.errors import Reason
from millstream.domain.events import EventType, Line

TYPES = {kind.value: kind for kind in EventType if kind is not EventType.ERASE} | {
    "view_search_results": EventType.SEARCH
}


class _Item(Struct):
    """`index` over the Measurement Protocol, `item_list_index` (text) in BigQuery."""

    item_id: Name | None = None
    price: float | None = None
    quantity: int | None = None
    index: int | None = None
    item_list_index: Name | None = None


class _Params(Struct):
    items: tuple[_Item, ...] | None = None
    currency: str | None = None
    transaction_id: Name | None = None
    search_term: Name | None = None
    session_id: Name | None = None
    ga_session_id: Name | None = None
    recommendation_id: Name | None = None


class _Event(Struct):
    name: str
    params: _Params | None = None
    timestamp_micros: int | None = None


class _Body(Struct):
    """Of the Measurement Protocol; apps have `app_instance_id`."""

    events: tuple[dict[str, Any], ...]
    client_id: Name | None = None
    app_instance_id: Name | None = None
    user_id: Name | None = None
    timestamp_micros: int | None = None


class _Param(Struct):
    key: str
    value: dict[str, Any] | None = None


class _Ecommerce(Struct):
    transaction_id: Name | None = None


class _Row(Struct):
    """Of the export."""

    event_name: str
    event_timestamp: int
    user_pseudo_id: Name | None = None
    user_id: Name | None = None
    event_params: tuple[_Param, ...] | None = None
    items: tuple[_Item, ...] | None = None
    ecommerce: _Ecommerce | None = None
    batch_page_id: int | None = None
    batch_ordering_id: int | None = None
    batch_event_index: int | None = None


class _Sender(Struct):
    user_id: str | None
    anonymous_id: str | None


def outcomes(record: object) -> list[Outcome]:
    if isinstance(record, dict) and "event_name" in record:
        return [_of_row(record)]
    body = read(record, _Body)
    if isinstance(body, Faulty):
        return [body]
    sender = _Sender(first_of(body.user_id), first_of(body.client_id, body.app_instance_id))
    return [
        _of_event(given, sender, body.timestamp_micros, place)
        for place, given in enumerate(body.events)
    ]


def _of_row(record: dict[str, Any]) -> Outcome:
    name = record["event_name"]
    if isinstance(name, str) and name not in TYPES:
        return NotOurs(name)
    row = read(record, _Row)
    if isinstance(row, Faulty):
        return row
    params = read(_flat(row.event_params or ()), _Params)
    if isinstance(params, Faulty):
        return Faulty(params.reason, f"event_params: {params.detail}")
    if row.items is not None:
        params.items = row.items
    if row.ecommerce is not None:
        params.transaction_id = first_of(row.ecommerce.transaction_id, params.transaction_id)
    sender = _Sender(first_of(row.user_id), first_of(row.user_pseudo_id))
    place = (row.batch_page_id, row.batch_ordering_id, row.batch_event_index)
    event = _Event(row.event_name, params, row.event_timestamp)
    return _mapped(event, params, sender, row.event_timestamp, place)


def _flat(params: Iterable[_Param]) -> dict[str, Any]:
    """`{"key": k, "value": {"string_value": v, "int_value": null, ...}}` as `{k: v}`."""
    return {
        param.key: next((v for v in (param.value or {}).values() if v is not None), None)
        for param in params
    }


def _of_event(
    given: dict[str, Any], sender: _Sender, common_micros: int | None, place: int
) -> Outcome:
    name = given.get("name")
    if isinstance(name, str) and name not in TYPES:
        return NotOurs(name)
    event = read(given, _Event)
    if isinstance(event, Faulty):
        return event
    micros = event.timestamp_micros if event.timestamp_micros is not None else common_micros
    if micros is None:
        return Faulty(Reason.MISSING_FIELD, "timestamp_micros: when it happened is not told")
    return _mapped(event, event.params or _Params(), sender, micros, (place,))


def _mapped(
    event: _Event, params: _Params, sender: _Sender, micros: int, place: tuple[int | None, ...]
) -> Outcome:
    kind = TYPES[event.name]
    time = moment_of(micros)
    lines = _lines(params.items or ())
    if isinstance(time, Faulty):
        return time
    if isinstance(lines, Faulty):
        return lines
    transaction_id = first_of(params.transaction_id)
    fields = EventFields(
        time=time,
        user_id=sender.user_id,
        anonymous_id=sender.anonymous_id,
        items=lines,
        query=first_of(params.search_term) if kind is EventType.SEARCH else None,
        currency=upper(params.currency),
        session_id=first_of(params.session_id, params.ga_session_id),
        transaction_id=transaction_id,
        recommendation_id=first_of(params.recommendation_id),
    )
    if kind is EventType.PURCHASE and transaction_id is not None:
        fields["event_id"] = _id_of("purchase", transaction_id)
    else:
        items = [line.item_id for line in lines]
        fields["event_id"] = _id_of(
            event.name, sender.user_id, sender.anonymous_id, micros, place, transaction_id, items
        )
    return Mapped(kind, fields)


def _lines(items: Iterable[_Item]) -> tuple[Line, ...] | Faulty:
    lines: list[Line] = []
    for place, item in enumerate(items):
        item_id = first_of(item.item_id)
        if item_id is None:
            return no_item_id(place)
        shown_at = first_of(item.item_list_index)
        index = int(shown_at) if shown_at is not None and shown_at.isdecimal() else item.index
        quantity = 1 if item.quantity is None else item.quantity
        lines.append(Line(item_id, quantity, item.price, index))
    return tuple(lines)


def _id_of(*parts: object) -> str:
    """JSON keeps the parts apart, so that no two sets of them read alike."""
    return "ga4-" + hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()
