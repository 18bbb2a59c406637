"""Snowplow: an enriched event as JSON (an Analytics SDK's, or a row of the warehouse).

Takes the ecommerce plugin (`snowplow_ecommerce_action` with product, transaction, refund and
checkout_step entities), and what came before it: `add_to_cart` and `remove_from_cart` with their
`sku`, `site_search`, and `transaction_item` lines. Names of columns may be in capitals (Snowflake)
and end in `_1` or, as in BigQuery, in `_1_0_2`. Source: Snowplow's "Ecommerce events" overview."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from millstream.client.adapters.outcome import (
    Faulty,
    Mapped,
    Name,
    NotOurs,
    Outcome,
    first_of,
    no_item_id,
    read,
    upper,
)
from millstream.client.composition import EventFields
from millstream.domain.errors import Reason
from millstream.domain.events import EventType, Line, country

ACTIONS = {
    "product_view": EventType.VIEW_ITEM,
    "list_view": EventType.VIEW_ITEM_LIST,
    "list_click": EventType.SELECT_ITEM,
    "add_to_cart": EventType.ADD_TO_CART,
    "remove_from_cart": EventType.REMOVE_FROM_CART,
    "checkout_step": EventType.BEGIN_CHECKOUT,
    "transaction": EventType.PURCHASE,
    "refund": EventType.REFUND,
}
BEFORE_THE_PLUGIN = {
    "add_to_cart": EventType.ADD_TO_CART,
    "remove_from_cart": EventType.REMOVE_FROM_CART,
}

_COLUMN = re.compile(
    r"(?:unstruct_event|contexts)_com_snowplowanalytics_snowplow_(?:ecommerce_)?(\w+?)_1(?:_\d+_\d+)?"
)


class _Product(Struct):
    """`sku` and `unitPrice` (`unit_price` in BigQuery) are of the events before the plugin."""

    id: Name | None = None
    sku: Name | None = None
    price: float | None = None
    unit_price: float | None = None
    unitPrice: float | None = None  # noqa: N815  as it is sent
    quantity: int | None = None
    position: int | None = None
    currency: str | None = None


class _Order(Struct):
    transaction_id: Name | None = None
    currency: str | None = None


class _Action(Struct):
    type: str


class _Step(Struct):
    step: int | None = None


class _Search(Struct):
    terms: tuple[Name, ...] = ()


class _Visit(Struct):
    """The mobile trackers' `client_session`."""

    userId: Name | None = None  # noqa: N815  as it is sent
    user_id: Name | None = None


class _Entities(Struct):
    """What is told of an event beside its columns, by the names of its schemas."""

    snowplow_ecommerce_action: _Action | None = None
    add_to_cart: _Product | None = None
    remove_from_cart: _Product | None = None
    site_search: _Search | None = None
    product: tuple[_Product, ...] = ()
    transaction: tuple[_Order, ...] = ()
    refund: tuple[_Order, ...] = ()
    checkout_step: tuple[_Step, ...] = ()
    client_session: tuple[_Visit, ...] = ()


class _Columns(Struct):
    event_id: Name
    derived_tstamp: str | None = None
    collector_tstamp: str | None = None
    user_id: Name | None = None
    domain_userid: Name | None = None
    network_userid: Name | None = None
    domain_sessionid: Name | None = None
    geo_country: Any = None  # no event is refused for it
    ti_orderid: Name | None = None
    ti_sku: Name | None = None
    ti_price: float | None = None
    ti_quantity: int | None = None
    ti_currency: str | None = None


class _Said(Struct):
    """One event of theirs, whichever way they told it."""

    kind: EventType
    products: tuple[_Product, ...]
    order: _Order
    query: str | None = None


def outcomes(record: object) -> list[Outcome]:
    return [_outcome(record)]


def _outcome(record: object) -> Outcome:
    if not isinstance(record, Mapping):
        return Faulty(Reason.WRONG_TYPE, "$: not an object")
    row = {str(name).lower(): value for name, value in record.items()}
    name = _name(row)
    known = {"snowplow_ecommerce_action", "site_search", "transaction_item", *BEFORE_THE_PLUGIN}
    if name not in known:
        return NotOurs(name) if name else Faulty(Reason.MISSING_FIELD, "event_name is missing")
    columns = read(row, _Columns)
    if isinstance(columns, Faulty):
        return columns
    entities = read(_entities(row), _Entities)
    if isinstance(entities, Faulty):
        return entities
    said = _said(name, columns, entities)
    return _mapped(said, columns, entities) if isinstance(said, _Said) else said


def _name(row: Mapping[str, Any]) -> str:
    """Structured events are all called "event"; what they are about is in the shop's own words."""
    kind = str(row.get("event") or "")
    return "struct" if kind == "struct" else str(row.get("event_name") or kind)


def _entities(row: Mapping[str, Any]) -> dict[str, Any]:
    """By schema name; of several versions the last one that is not null."""
    found: dict[str, Any] = {}
    for column, value in row.items():
        if value is not None and (match := _COLUMN.fullmatch(column)):
            found[match[1]] = value
    return found


def _said(name: str, columns: _Columns, entities: _Entities) -> _Said | NotOurs | Faulty:
    if name == "snowplow_ecommerce_action":
        return _action(entities)
    if name == "site_search":
        terms = () if entities.site_search is None else entities.site_search.terms
        return _Said(EventType.SEARCH, (), _Order(), " ".join(map(str, terms)))
    if name == "transaction_item":
        line = _Product(sku=columns.ti_sku, price=columns.ti_price, quantity=columns.ti_quantity)
        return _Said(EventType.PURCHASE, (line,), _Order(columns.ti_orderid, columns.ti_currency))
    product = entities.add_to_cart if name == "add_to_cart" else entities.remove_from_cart
    if product is None:
        return Faulty(Reason.MISSING_FIELD, f"the data of {name} is missing")
    return _Said(BEFORE_THE_PLUGIN[name], (product,), _Order(None, product.currency))


def _action(entities: _Entities) -> _Said | NotOurs | Faulty:
    if entities.snowplow_ecommerce_action is None:
        return Faulty(Reason.MISSING_FIELD, "the data of snowplow_ecommerce_action is missing")
    action = entities.snowplow_ecommerce_action.type
    kind = ACTIONS.get(action)
    if kind is None:
        return NotOurs(action)
    steps = entities.checkout_step
    if kind is EventType.BEGIN_CHECKOUT and steps and steps[0].step not in (None, 1):
        return NotOurs("checkout_step after the first")
    [order, *_] = [*entities.transaction, *entities.refund, _Order()]
    currencies = (order.currency, *(product.currency for product in entities.product))
    return _Said(kind, entities.product, _Order(order.transaction_id, first_of(*currencies)))


def _mapped(said: _Said, columns: _Columns, entities: _Entities) -> Outcome:
    time = _time(columns.derived_tstamp or columns.collector_tstamp)
    lines = _lines(said.products)
    if isinstance(time, Faulty):
        return time
    if isinstance(lines, Faulty):
        return lines
    [visit, *_] = [*entities.client_session, _Visit()]
    fields = EventFields(
        event_id=first_of(columns.event_id),
        time=time,
        user_id=first_of(columns.user_id),
        anonymous_id=first_of(
            columns.domain_userid, visit.userId, visit.user_id, columns.network_userid
        ),
        items=lines,
        query=said.query,
        currency=upper(said.order.currency),
        session_id=first_of(columns.domain_sessionid),
        transaction_id=first_of(said.order.transaction_id),
        context={"country": told} if (told := country(columns.geo_country)) else None,
    )
    return Mapped(said.kind, fields)


def _time(given: str | None) -> datetime | Faulty:
    """Snowplow's times are UTC, whether they say so or not."""
    if given is None:
        return Faulty(Reason.MISSING_FIELD, "derived_tstamp and collector_tstamp are missing")
    found = read(given.removesuffix(" UTC"), datetime)
    if isinstance(found, Faulty):
        return Faulty(found.reason, "derived_tstamp or collector_tstamp is no time")
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _lines(products: tuple[_Product, ...]) -> tuple[Line, ...] | Faulty:
    lines: list[Line] = []
    for place, product in enumerate(products):
        item_id = first_of(product.id, product.sku)
        if item_id is None:
            return no_item_id(place)
        quantity = 1 if product.quantity is None else product.quantity
        prices = (product.price, product.unitPrice, product.unit_price)
        price = next((one for one in prices if one is not None), None)
        lines.append(Line(item_id, quantity, price, product.position))
    return tuple(lines)
