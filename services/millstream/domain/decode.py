"""From the bytes of a record to an event, or to the reason why it is none.

The hot path of every service that reads events: one shared decoder, and work beyond it only for
records that are not plain."""

from __future__ import annotations

import re

import msgspec

from millstream.domain.cloudevents import unwrap
from millstream.domain.document import MAX_EXACT_INT, check_document, says_no_more
from millstream.domain.errors import Reason, Refused
from millstream.domain.events import MAX_RECORD_BYTES, Event, check_event
from millstream.domain.failpoints import dies_of_poison
from millstream.domain.log import Headers

MAX_FUTURE_MS = 5 * 60 * 1000
"""How far a shop's clock may be ahead of the log's."""

_EVENTS = msgspec.json.Decoder(Event)


@dies_of_poison
def decode(value: bytes | None, headers: Headers, log_ms: int) -> Event:
    """The event of one record whose log time is `log_ms`; raises nothing but Refused.

    Takes bare JSON and CloudEvents 1.0 in binary and structured mode. Unknown fields are passed
    over, as a newer producer may send them, within the bounds of domain/document.py. The limit of
    MAX_RECORD_BYTES is on the value and the headers, names and contents, together."""
    if value is None:
        raise Refused(Reason.UNDECODABLE, "the value is null")
    size = len(value) + _size(headers)
    if size > MAX_RECORD_BYTES:
        raise Refused(Reason.TOO_LARGE, f"{size} bytes; at most {MAX_RECORD_BYTES}")
    try:
        text = value.decode()  # the decoder does not look into the fields that it passes over
        bare = unwrap(value, headers) if headers else value
        event = _EVENTS.decode(bare)
        if bare is not value or not says_no_more(text, event):
            check_document(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise refusal(error) from None
    time_ms = event.time_ms
    if time_ms < 0:
        raise Refused(Reason.OUT_OF_RANGE, "$.time is before 1970")
    if time_ms > log_ms + MAX_FUTURE_MS:
        raise Refused(Reason.FUTURE_TIME, f"time is more than {MAX_FUTURE_MS} ms ahead of the log")
    check_event(event)
    _check_integers(event)
    return event


def _size(headers: Headers) -> int:
    if not headers:
        return 0
    # Kafka lets a header be null.
    return sum(
        len(name.encode("utf-8", "surrogateescape")) + len(content or b"")
        for name, content in headers
    )


def _check_integers(event: Event) -> None:
    for given in event.context.values():
        if isinstance(given, int) and abs(given) > MAX_EXACT_INT:
            raise Refused(Reason.OUT_OF_RANGE, "$.context[...] is an integer beyond 2^53")


_AT = re.compile(r"^(?P<what>.*) - at (?:`key` in )?`(?P<path>\$[^`]*)`$", re.DOTALL)
_ID_FIELDS = frozenset(
    {
        "event_id",
        "review_id",
        "tenant",
        "user_id",
        "anonymous_id",
        "item_id",
        "session_id",
        "transaction_id",
        "recommendation_id",
    }
)


def refusal(error: Exception) -> Refused:
    """The decoder's words as a reason code and the field's path, without the field's value."""
    if isinstance(error, RecursionError):
        return Refused(Reason.UNDECODABLE, "nested too deep")
    if isinstance(error, UnicodeError):
        return Refused(Reason.UNDECODABLE, "not UTF-8 text")
    if not isinstance(error, msgspec.ValidationError):
        return Refused(Reason.UNDECODABLE, "not JSON")
    found = _AT.match(str(error))
    what, path = (found["what"], found["path"]) if found else (str(error), "$")
    if what.startswith("Invalid enum value"):
        return Refused(Reason.UNKNOWN_EVENT_TYPE, f"{path} is none of the event types")
    return Refused(_reason(what, path), f"{path}: {what}")


def _reason(what: str, path: str) -> Reason:
    if what.startswith("Object missing required field"):
        return Reason.MISSING_FIELD
    if ", got `" in what or "RFC3339" in what or "timezone" in what:
        return Reason.WRONG_TYPE
    if path == "$.items":
        return Reason.BAD_ITEMS
    if path.rpartition(".")[2] in _ID_FIELDS:
        return Reason.BAD_ID
    return Reason.OUT_OF_RANGE
