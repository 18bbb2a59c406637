"""What comes of one record of another system, and how its loosely typed fields are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from millstream.client.composition import EventFields
from millstream.domain.decode import refusal
from millstream.domain.errors import Reason
from millstream.domain.events import EventType

S = TypeVar("S")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNSET = frozenset({"", "(not set)"})


@dataclass(frozen=True, slots=True)
class Mapped:
    """The arguments of `track`. Whether the recommender takes them `track` says: the adapters only
    translate."""

    type: EventType
    fields: EventFields


@dataclass(frozen=True, slots=True)
class NotOurs:
    """Says nothing about items that lists are made from; nothing is to be mended. `what` is a word
    of the sender's, uncut."""

    what: str


@dataclass(frozen=True, slots=True)
class Faulty:
    """Should have been one of ours. `detail` names the field, never its value."""

    reason: Reason
    detail: str


Outcome = Mapped | NotOurs | Faulty

Adapter = Callable[[object], list[Outcome]]
"""Of one decoded record; pure, raises nothing. A record may hold several events."""

Name = str | int
"""An id as it comes; shops number what they sell."""


def read(record: object, form: type[S]) -> S | Faulty:
    """Numbers may come as text ("19.90"); fields beside those of `form` are passed over."""
    try:
        return msgspec.convert(record, form, strict=False)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        refused = refusal(error)
        return Faulty(refused.reason, refused.detail)


def first_of(*given: Name | None) -> str | None:
    """The first that says something, as text."""
    return next((str(one) for one in given if one is not None and str(one) not in _UNSET), None)


def upper(currency: str | None) -> str | None:
    found = first_of(currency)
    return None if found is None else found.upper()


def moment_of(micros: int) -> datetime | Faulty:
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return Faulty(Reason.OUT_OF_RANGE, "the time is beyond the calendar")


def no_item_id(place: int) -> Faulty:
    return Faulty(Reason.MISSING_FIELD, f"product {place} has no id")
