"""A request to forget a shopper, and which records of the log it covers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from millstream.domain.acceptance import Shopper
from millstream.domain.decode import decode
from millstream.domain.errors import Refused
from millstream.domain.events import Tenant, Timestamp
from millstream.domain.lists import Origin
from millstream.domain.log import LogRecord
from millstream.domain.reviews import decode_review, decode_verdict

Marks = Mapping[Shopper, int]
"""By shopper the log time (ms) of the last erase: what is not later, by either clock, is gone."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_WORDS = re.compile(rb"~?[A-Za-z0-9_-]{1,128}")


class Erasure(Struct, frozen=True, kw_only=True):
    """What `privacy.erasures.v1` holds of a shopper. `time` is the log time of the erase event at
    `origin`: what the shopper did at or before it, by event or by log time, is to be forgotten."""

    tenant: Tenant
    user: Annotated[str, Meta(min_length=1, max_length=129)]
    time: Timestamp
    origin: Origin

    @property
    def shopper(self) -> Shopper:
        return self.tenant, self.user

    @property
    def mark_ms(self) -> int:
        return (self.time - _EPOCH) // _MS


class _Named(Struct):
    """Who a record speaks of that is no event we would accept."""

    tenant: str = "default"
    user_id: str | None = None
    anonymous_id: str | None = None


_NAMED = msgspec.json.Decoder(_Named)


Said = tuple[Shopper, int]
"""Whose a record is, and its own time (ms)."""

Read = Callable[[LogRecord], Said]
"""Raises Refused for what is not of the kind that it reads."""


def event_of(record: LogRecord) -> Said:
    event = decode(record.value, record.headers, record.log_ms)
    return (event.tenant, event.shopper), event.time_ms


def review_of(record: LogRecord) -> Said:
    review = decode_review(record.value, record.log_ms)
    return (review.tenant, review.shopper), review.time_ms


def verdict_of(record: LogRecord) -> Said:
    verdict = decode_verdict(record.value)
    return (verdict.tenant, verdict.user), verdict.time_ms


def is_covered(record: LogRecord, marks: Marks, read: Read = event_of) -> bool:
    """True for a record of an erased shopper from before the erase: what the lake forgets, and
    what a replay of dead letters passes over (`record` as it stood in its own log).

    What reads belongs to its shopper, whatever its key says. What does not belongs to those whom
    its key, its JSON or a word of its bytes names, and is judged by its log time alone."""
    if not marks:
        return False
    try:
        shopper, time_ms = read(record)
    except Refused:
        return any(record.log_ms <= marks[name] for name in _named(record, marks))
    mark = marks.get(shopper)
    return mark is not None and min(time_ms, record.log_ms) <= mark


def _named(record: LogRecord, marks: Marks) -> Iterator[Shopper]:
    """The erased shoppers that a refused record may be of."""
    tenant, found = "default", set()
    if record.key is not None:
        before, _, name = record.key.decode(errors="replace").partition(":")
        tenant, found = before, {(before, name)}
    try:
        named = _NAMED.decode(record.value or b"")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    else:
        tenant = named.tenant
        found |= {(tenant, named.user_id or ""), (tenant, f"~{named.anonymous_id}")}
    words = {word.decode() for word in _WORDS.findall(record.value or b"") if len(word) >= 22}
    found |= {(tenant, name) for word in words for name in (word, f"~{word}")}
    yield from found & marks.keys()
