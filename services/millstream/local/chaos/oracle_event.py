"""What the oracle takes for an event: its own reading, sharing no code with the decoder."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

FUTURE_MS = 5 * 60_000
MOST_BYTES = 64 * 1024
TYPES = {
    "view_item": (1, 1),
    "view_item_list": (1, 200),
    "select_item": (1, 1),
    "add_to_wishlist": (1, 200),
    "add_to_cart": (1, 200),
    "remove_from_cart": (1, 200),
    "begin_checkout": (1, 200),
    "purchase": (1, 200),
    "refund": (0, 200),
    "search": (0, 200),
    "erase": (0, 0),
}
_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Told:
    """An event as this file reads it."""

    tenant: str
    shopper: str
    event_id: str
    kind: str
    time_ms: int
    items: tuple[str, ...]


class NoEvent(ValueError):  # noqa: N818
    """The record is none that may count."""


def read(value: bytes | None, log_ms: int) -> Told:
    """Raises NoEvent."""
    if value is None or len(value) > MOST_BYTES:
        raise NoEvent
    try:
        body = JSON.decode(value.decode())
        told = _told(body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NoEvent from error
    if told.time_ms > log_ms + FUTURE_MS:
        raise NoEvent
    return told


def _told(body: dict[str, Any]) -> Told:
    known, unknown = body.get("user_id"), body.get("anonymous_id")
    shopper = clean_id(known) if known is not None else "~" + clean_id(unknown)
    if known is not None and shopper.startswith("~"):
        raise NoEvent
    tenant = body.get("tenant", "default")
    if not _TENANT.fullmatch(tenant):
        raise NoEvent
    items = tuple(clean_id(line["item_id"]) for line in body.get("items", []))
    least, most = TYPES[body["type"]]
    if not least <= len(items) <= most:
        raise NoEvent
    _text(body.get("query"))
    time_ms = clean_time(body["time"])
    return Told(tenant, shopper, clean_id(body["event_id"]), body["type"], time_ms, items)


def clean_time(told: Any) -> int:
    """Milliseconds since 1970. Raises NoEvent, and what a wrong type raises."""
    if not _TIME.fullmatch(told):
        raise NoEvent
    at = datetime.fromisoformat(told.upper())
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


def clean_id(text: Any) -> str:
    if not isinstance(text, str) or not 1 <= len(text) <= 128:
        raise NoEvent
    if any(c in "{}" or unicodedata.category(c) in _UNSEEN for c in text):
        raise NoEvent
    if not unicodedata.is_normalized("NFC", text):
        raise NoEvent
    return text


_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


def _text(text: Any) -> None:
    if text is not None and (len(text) > 256 or any("\ud800" <= c <= "\udfff" for c in text)):
        raise NoEvent


def _refuse(constant: str) -> float:
    raise NoEvent(constant)


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise NoEvent
    return number


JSON = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
