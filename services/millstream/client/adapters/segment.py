"""Segment's e-commerce events, version 2; RudderStack sends the same.

Takes the message as the Tracking API has it (`type`, `event`, `messageId`, `userId`, `anonymousId`,
`timestamp`, `properties`). Source: Segment's "Spec: V2 Ecommerce Events"."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, field

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
from millstream.domain.events import EventType, Line

TYPES = {
    "products searched": EventType.SEARCH,
    "product list viewed": EventType.VIEW_ITEM_LIST,
    "product list filtered": EventType.VIEW_ITEM_LIST,
    "product clicked": EventType.SELECT_ITEM,
    "product viewed": EventType.VIEW_ITEM,
    "product added": EventType.ADD_TO_CART,
    "product removed": EventType.REMOVE_FROM_CART,
    "product added to wishlist": EventType.ADD_TO_WISHLIST,
    "wishlist product added to cart": EventType.ADD_TO_CART,
    "checkout started": EventType.BEGIN_CHECKOUT,
    "order completed": EventType.PURCHASE,
    "order refunded": EventType.REFUND,
    "order cancelled": EventType.REFUND,
}


class _Kind(Struct):
    type: str
    event: str | None = None


class _Product(Struct):
    product_id: Name | None = None
    sku: Name | None = None
    price: float | None = None
    quantity: int | None = None
    position: int | None = None


class _Properties(_Product):
    products: tuple[_Product, ...] | None = None
    query: Name | None = None
    order_id: Name | None = None
    currency: str | None = None
    recommendation_id: Name | None = None


class _Message(Struct, rename="camel"):
    message_id: Name | None = None
    user_id: Name | None = None
    anonymous_id: Name | None = None
    timestamp: datetime | None = None
    original_timestamp: datetime | None = None
    properties: _Properties = field(default_factory=_Properties)


def outcomes(record: object) -> list[Outcome]:
    return [_outcome(record)]


def _outcome(record: object) -> Outcome:
    kind = read(record, _Kind)
    if isinstance(kind, Faulty):
        return kind
    if kind.type != "track":
        return NotOurs(kind.type)
    if kind.event is None:
        return Faulty(Reason.MISSING_FIELD, "$.event is required by type track")
    found = TYPES.get(kind.event.casefold())
    if found is None:
        return NotOurs(kind.event)
    message = read(record, _Message)
    return message if isinstance(message, Faulty) else _mapped(found, message)


def _mapped(kind: EventType, message: _Message) -> Outcome:
    said = message.properties
    time = message.timestamp or message.original_timestamp
    if time is None:
        return Faulty(Reason.MISSING_FIELD, "$.timestamp is missing")
    event_id = first_of(message.message_id)
    if event_id is None:
        return Faulty(Reason.MISSING_FIELD, "$.messageId is missing")
    lines = _lines(said)
    if isinstance(lines, Faulty):
        return lines
    fields = EventFields(
        event_id=event_id,
        time=time,
        user_id=first_of(message.user_id),
        anonymous_id=first_of(message.anonymous_id),
        items=lines,
        query=first_of(said.query) if kind is EventType.SEARCH else None,
        currency=upper(said.currency),
        transaction_id=first_of(said.order_id),
        recommendation_id=first_of(said.recommendation_id),
    )
    return Mapped(kind, fields)


def _lines(said: _Properties) -> tuple[Line, ...] | Faulty:
    """Of `products`, or of the product that the properties themselves are."""
    alone = first_of(said.product_id, said.sku) is not None
    products = said.products if said.products is not None else (said,) if alone else ()
    lines: list[Line] = []
    for place, product in enumerate(products):
        item_id = first_of(product.product_id, product.sku)
        if item_id is None:
            return no_item_id(place)
        quantity = 1 if product.quantity is None else product.quantity
        lines.append(Line(item_id, quantity, product.price, product.position))
    return tuple(lines)
