"""What a storefront says: one event, as it stands on the wire and in the log."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct, field

from millstream.domain.errors import Reason, Refused

MAX_ID_CHARS = 128
MAX_ITEMS = 200
MAX_CONTEXT_KEYS = 64
MAX_RECORD_BYTES = 64 * 1024

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 86_400_000

# Python's `$` also matches before a last line break, hence the look-ahead after each.
ID_PATTERN = r"^[^\u0000-\u001f\u007f{}]+$"
ID_TEXT = "NFC text without control or bidirectional characters and without braces"
Id = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_ID_CHARS,
        description=ID_TEXT,
        extra_json_schema={"pattern": ID_PATTERN},
    ),
]
Tenant = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$(?!\n)")]
Text = Annotated[str, Meta(max_length=256)]
Money = Annotated[float, Meta(ge=0, le=1e12)]
Timestamp = Annotated[datetime, Meta(tz=True)]


class EventType(StrEnum):
    """Google Analytics 4 names, and `erase` for a shopper who wants to be forgotten."""

    VIEW_ITEM = "view_item"
    VIEW_ITEM_LIST = "view_item_list"
    SELECT_ITEM = "select_item"
    ADD_TO_WISHLIST = "add_to_wishlist"
    ADD_TO_CART = "add_to_cart"
    REMOVE_FROM_CART = "remove_from_cart"
    BEGIN_CHECKOUT = "begin_checkout"
    PURCHASE = "purchase"
    REFUND = "refund"
    SEARCH = "search"
    ERASE = "erase"

    __hash__ = str.__hash__  # Enum's own is written in Python, and each event is looked up often


# Stored state names a type by its place here: append only.
TYPE_ORDER: tuple[EventType, ...] = tuple(EventType)
TYPE_INDEX: dict[EventType, int] = {kind: index for index, kind in enumerate(TYPE_ORDER)}

_SEARCH = EventType.SEARCH  # to ask the class for a member costs as much as a dozen of names

BROWSE = frozenset({EventType.VIEW_ITEM, EventType.SELECT_ITEM})

# How many items an event of a type may carry (inclusive).
ITEMS_ALLOWED: dict[EventType, tuple[int, int]] = {
    EventType.VIEW_ITEM: (1, 1),
    EventType.VIEW_ITEM_LIST: (1, MAX_ITEMS),
    EventType.SELECT_ITEM: (1, 1),
    EventType.ADD_TO_WISHLIST: (1, MAX_ITEMS),
    EventType.ADD_TO_CART: (1, MAX_ITEMS),
    EventType.REMOVE_FROM_CART: (1, MAX_ITEMS),
    EventType.BEGIN_CHECKOUT: (1, MAX_ITEMS),
    EventType.PURCHASE: (1, MAX_ITEMS),
    EventType.REFUND: (0, MAX_ITEMS),
    EventType.SEARCH: (0, MAX_ITEMS),
    EventType.ERASE: (0, 0),
}


class Line(Struct, frozen=True, omit_defaults=True, gc=False):  # no cycle can begin in it
    """One item of an event: a line of the basket, a card of the list."""

    item_id: Id
    quantity: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 1
    price: Annotated[Money | None, Meta(description="Of one piece, in `currency`")] = None
    index: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None,
        Meta(description="The place in the list that was shown"),
    ] = None


class Event(Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):  # nor here
    """One thing a shopper did. `event_id` is fixed at first send: a retry carries the same."""

    event_id: Id
    type: EventType
    time: Annotated[Timestamp, Meta(description="When it happened, by the shop's clock")]
    tenant: Annotated[Tenant, Meta(description="Whose shop it is")] = "default"
    user_id: Annotated[Id | None, Meta(description="Who is signed in")] = None
    anonymous_id: Annotated[
        Id | None, Meta(description="The browser; beside a user_id the event counts for the user")
    ] = None
    items: Annotated[
        tuple[Line, ...], Meta(max_length=MAX_ITEMS, description="How many, the type says")
    ] = ()
    query: Annotated[Text | None, Meta(description="What was searched for")] = None
    currency: Annotated[
        Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")] | None,
        Meta(description="ISO 4217, of the prices"),
    ] = None
    session_id: Annotated[Id | None, Meta(description="The visit, as the shop counts them")] = None
    transaction_id: Annotated[Id | None, Meta(description="The order")] = None
    recommendation_id: Annotated[
        Id | None, Meta(description="The list that was shown or acted on")
    ] = None
    context: Annotated[
        dict[Text, Text | int | float | bool | None],
        Meta(
            max_length=MAX_CONTEXT_KEYS,
            description="Whatever else; `country` (ISO 3166-1 alpha-2) tells quality by country",
        ),
    ] = field(default_factory=dict)

    @property
    def shopper(self) -> str:
        """The id that state and lists hang on. `~` keeps the two kinds of id apart."""
        return self.user_id if self.user_id is not None else f"~{self.anonymous_id}"

    @property
    def signed_in_from(self) -> str | None:
        """The anonymous id beside a user's: the shopper was known by it until now."""
        return None if self.user_id is None else self.anonymous_id

    @property
    def time_ms(self) -> int:
        since = self.time - _EPOCH  # to divide it by a timedelta takes thrice as long
        return since.days * _DAY_MS + since.seconds * 1000 + since.microseconds // 1000


def shopper_of(user_id: str | None, anonymous_id: str | None) -> str:
    """As `Event.shopper`."""
    return user_id if user_id is not None else f"~{anonymous_id}"


def milliseconds(time: datetime) -> int:
    """As `Event.time_ms`, which is on a hot path and does it by itself."""
    since = time - _EPOCH
    return since.days * _DAY_MS + since.seconds * 1000 + since.microseconds // 1000


_COUNTRY = re.compile(r"[A-Z]{2}")


def country(told: object) -> str | None:
    """What was told, where it reads like a country of ISO 3166-1 alpha-2."""
    return told if isinstance(told, str) and _COUNTRY.fullmatch(told) else None


def country_of(event: Event) -> str | None:
    """Events tell it as `context.country`, those that do."""
    return country(event.context.get("country"))


def check_event(event: Event) -> None:
    """What the types cannot say. Raises Refused; the detail names the field, never the value."""
    if event.user_id is None and event.anonymous_id is None:
        raise Refused(Reason.MISSING_FIELD, "one of user_id and anonymous_id is required")
    if event.user_id is not None and event.user_id.startswith("~"):
        raise Refused(Reason.BAD_ID, "user_id begins with '~', which marks anonymous shoppers")
    if event.type is _SEARCH and not event.query:
        raise Refused(Reason.MISSING_FIELD, "query is required by type search")
    least, most = ITEMS_ALLOWED[event.type]
    if not least <= len(event.items) <= most:
        raise Refused(
            Reason.BAD_ITEMS,
            f"{len(event.items)} items; type {event.type} takes {least} to {most}",
        )
    _check_ids(event)


def _check_ids(event: Event) -> None:
    # Plain ASCII ids are clean together if they are one by one, and most are.
    joined = event.event_id + (event.user_id or "") + (event.anonymous_id or "")
    joined += (event.session_id or "") + (event.transaction_id or "")
    joined += event.recommendation_id or ""
    for line in event.items:
        joined += line.item_id
    if joined.isascii() and is_clean_id(joined):
        return
    for name in (
        "event_id",
        "user_id",
        "anonymous_id",
        "session_id",
        "transaction_id",
        "recommendation_id",
    ):
        value = getattr(event, name)
        if value is not None and not is_clean_id(value):
            raise Refused(Reason.BAD_ID, f"{name} has a character that ids may not have")
    for line in event.items:
        if not is_clean_id(line.item_id):
            raise Refused(Reason.BAD_ID, "item_id has a character that ids may not have")


def is_clean_id(value: str) -> bool:
    """True for NFC text that is safe inside a Redis key and a log line.

    Braces would move a key to another cluster slot; control, bidirectional and surrogate
    characters (Unicode categories C*) and line separators make two ids look alike."""
    if "{" in value or "}" in value:
        return False
    if value.isascii():
        return value.isprintable()
    return unicodedata.is_normalized("NFC", value) and not any(
        unicodedata.category(char)[0] == "C" or unicodedata.category(char) in ("Zl", "Zp")
        for char in value
    )
