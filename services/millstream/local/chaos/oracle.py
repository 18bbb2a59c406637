"""The oracle: what must be counted, told from the raw log alone.

Written from docs/exactness.md, sharing no code with the worker: its own JSON reading, its own idea
of an event, and none of slots, fences, ranges or forgetting. The order within a partition is the
log's; what lies on several partitions (a shopper's repeats) may come in any order, and the traffic
is made so that no count depends on it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

HORIZON_MS = 24 * 3_600_000
FUTURE_MS = 5 * 60_000
MOST_IDS = 10_000
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

ShopperKey = tuple[str, str]
Count = tuple[str, str, str]
"""(tenant, shopper or item, event type)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies, and the log's own time of it."""

    partition: int
    offset: int
    log_ms: int


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
        body = json.loads(value.decode(), parse_constant=_refuse, parse_float=_finite)
        told = _told(body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NoEvent from error
    if told.time_ms > log_ms + FUTURE_MS:
        raise NoEvent
    return told


def _told(body: dict[str, Any]) -> Told:
    known, unknown = body.get("user_id"), body.get("anonymous_id")
    shopper = _id(known) if known is not None else "~" + _id(unknown)
    if known is not None and shopper.startswith("~"):
        raise NoEvent
    tenant = body.get("tenant", "default")
    if not _TENANT.fullmatch(tenant):
        raise NoEvent
    items = tuple(_id(line["item_id"]) for line in body.get("items", []))
    least, most = TYPES[body["type"]]
    if not least <= len(items) <= most:
        raise NoEvent
    _text(body.get("query"))
    time = body["time"]
    if not _TIME.fullmatch(time):
        raise NoEvent
    at = datetime.fromisoformat(time.upper())
    time_ms = int(at.timestamp()) * 1000 + at.microsecond // 1000
    return Told(tenant, shopper, _id(body["event_id"]), body["type"], time_ms, items)


def _id(text: Any) -> str:
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


@dataclass(slots=True)
class _Shopper:
    """`first`: per accepted event id the earliest of its copies by log time, since which of them
    counted, and was owed a list, is not told by the log where they lie on several partitions."""

    first: dict[str, Place] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    mark_ms: int = -1

    @property
    def newest(self) -> Place | None:
        """Of what was accepted since the last farewell, that included."""
        return max(self.first.values(), key=lambda place: place.log_ms, default=None)

    @property
    def gone(self) -> bool:
        """Nothing was accepted since the last farewell."""
        return self.mark_ms >= 0 and len(self.first) == 1


@dataclass(slots=True)
class Oracle:
    """`ledger`: acc, dup, late, era, over, bad. Fed in the order of each partition."""

    ledger: Counter[str] = field(default_factory=Counter)
    items: Counter[Count] = field(default_factory=Counter)
    shoppers: defaultdict[ShopperKey, _Shopper] = field(
        default_factory=lambda: defaultdict(_Shopper)
    )
    ids: set[str] = field(default_factory=set)
    """Of every event in the log, whatever became of it."""

    def add(self, place: Place, value: bytes | None) -> None:
        try:
            told = read(value, place.log_ms)
        except NoEvent:
            self.ledger["bad"] += 1
            return
        self.ids.add(told.event_id)
        if place.log_ms - told.time_ms > HORIZON_MS:
            self.ledger["late"] += 1
        else:
            self.ledger[self._verdict(place, told)] += 1

    def _verdict(self, place: Place, told: Told) -> str:
        shopper = self.shoppers[told.tenant, told.shopper]
        if min(place.log_ms, told.time_ms) <= shopper.mark_ms:
            return "era"
        if told.event_id in shopper.first:
            if place.log_ms < shopper.first[told.event_id].log_ms:
                shopper.first[told.event_id] = place
            return "dup"
        if told.kind == "erase":
            shopper.first, shopper.counts = {told.event_id: place}, Counter()
            shopper.mark_ms = place.log_ms
            return "acc"
        if len(shopper.first) >= MOST_IDS:
            return "over"
        shopper.first[told.event_id] = place
        shopper.counts[told.kind] += 1
        self.items.update((told.tenant, name, told.kind) for name in told.items)
        return "acc"

    def users(self) -> Counter[Count]:
        return Counter(
            {
                (tenant, name, kind): n
                for (tenant, name), shopper in self.shoppers.items()
                for kind, n in shopper.counts.items()
            }
        )

    def erased(self) -> set[ShopperKey]:
        """Those who ever said farewell."""
        return {name for name, shopper in self.shoppers.items() if shopper.mark_ms >= 0}
