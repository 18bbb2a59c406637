"""From what a storefront says to an event that the recommender will take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypedDict

import msgspec
from uuid_utils import uuid7

from millstream.domain.acceptance import HORIZON_MS, is_late
from millstream.domain.clock import as_datetime
from millstream.domain.decode import decode
from millstream.domain.errors import Reason, Refused
from millstream.domain.events import MAX_RECORD_BYTES, Event, EventType, Line
from millstream.domain.pseudonyms import Pseudonyms
from millstream.domain.reviews import Review, decode_review


class EventFields(TypedDict, total=False):
    """What may be said of an event beside its type; None is the same as nothing.

    One of `user_id` and `anonymous_id` is required. `items` takes Lines or bare item ids. A retry
    of an event carries its `event_id`; left out it is a new UUIDv7. `time` has a zone and is now
    when left out. `recommendation_id` is that of the list the shopper acted on."""

    user_id: str | None
    anonymous_id: str | None
    items: Iterable[Line | str] | None
    event_id: str | None
    time: datetime | None
    recommendation_id: str | None
    query: str | None
    currency: str | None
    session_id: str | None
    transaction_id: str | None
    context: Mapping[str, str | int | float | bool | None] | None


class ReviewFields(TypedDict, total=False):
    """What may be said of a review beside its item; None is the same as nothing.

    One of `user_id` and `anonymous_id` is required, and one of `title` and `text`. A retry carries
    the `review_id` of the first try; left out it is a new UUIDv7. `time`: when it was written, has
    a zone, and is now when left out. `rating`: 1 to 5."""

    user_id: str | None
    anonymous_id: str | None
    title: str | None
    text: str | None
    rating: float | None
    review_id: str | None
    time: datetime | None


class InvalidEvent(ValueError):  # noqa: N818
    """The recommender would refuse this event, for `reason`: it was not sent, or a gateway did not
    send it on. A gateway newer than this client may have reasons that `Reason` has not."""

    def __init__(self, reason: Reason | str, detail: str) -> None:
        super().__init__(f"not sent, {reason}: {detail}")
        self.reason = reason
        self.detail = detail


def compose(
    type: EventType | str,
    tenant: str,
    fields: EventFields,
    now_ms: int,
    pseudonyms: Pseudonyms | None = None,
) -> tuple[Event, bytes]:
    """The event and its bytes on the wire, judged by the very rule that the services apply.

    The event is as it was said; with `pseudonyms` the bytes hold those in place of its ids.

    Raises InvalidEvent, and TypeError for a field that events do not have."""
    given = {name: value for name, value in fields.items() if value is not None}
    given.setdefault("event_id", str(uuid7()))
    given.setdefault("time", as_datetime(now_ms))
    lines = fields.get("items") or ()
    given["items"] = tuple(Line(line) if isinstance(line, str) else line for line in lines)
    # The arguments are of any type until the decoder has judged them.
    said = Event(type=type, tenant=tenant, **given)  # type: ignore[arg-type]
    event, value = _judged(said, now_ms)
    if is_late(event, now_ms):
        raise InvalidEvent(Reason.LATE, f"time is more than {HORIZON_MS} ms ago")
    if pseudonyms is not None:
        value = _bounded(msgspec.json.encode(pseudonyms.event(event)))
    return event, value


def compose_review(
    item_id: str,
    tenant: str,
    fields: ReviewFields,
    now_ms: int,
    pseudonyms: Pseudonyms | None = None,
) -> tuple[Review, bytes]:
    """The review and its bytes on the wire, as `compose` does for an event. Raises InvalidEvent."""
    given = {name: value for name, value in fields.items() if value is not None}
    given.setdefault("review_id", str(uuid7()))
    given.setdefault("time", as_datetime(now_ms))
    said = Review(item_id=item_id, tenant=tenant, **given)  # type: ignore[arg-type]
    try:
        value = msgspec.json.encode(said)
        review = decode_review(value, now_ms)
    except Refused as refused:
        raise InvalidEvent(refused.reason, refused.detail) from None
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise InvalidEvent(Reason.WRONG_TYPE, f"JSON does not carry it: {error}") from None
    if pseudonyms is not None:
        value = _bounded(msgspec.json.encode(pseudonyms.review(review)))
    return review, value


def _judged(said: Event, now_ms: int) -> tuple[Event, bytes]:
    try:
        value = msgspec.json.encode(said)
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise InvalidEvent(Reason.WRONG_TYPE, f"JSON does not carry it: {error}") from None
    try:
        event = decode(value, (), now_ms)
    except Refused as refused:
        raise InvalidEvent(refused.reason, refused.detail) from None
    if event != said:  # NaN and infinity become null on the way
        raise InvalidEvent(Reason.OUT_OF_RANGE, "JSON carries a value otherwise than it was given")
    return event, value


def _bounded(value: bytes) -> bytes:
    """Of what stands under pseudonyms: all else was judged, and those are plain ids."""
    if len(value) > MAX_RECORD_BYTES:
        raise InvalidEvent(
            Reason.TOO_LARGE, f"{len(value)} bytes under pseudonyms; at most {MAX_RECORD_BYTES}"
        )
    return value
