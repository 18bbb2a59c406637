"""What buyers write of items, what it was judged to say, and how many said so."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from millstream.domain.decode import MAX_FUTURE_MS, refusal
from millstream.domain.document import check_document
from millstream.domain.errors import Reason, Refused
from millstream.domain.events import (
    MAX_RECORD_BYTES,
    Id,
    Tenant,
    Timestamp,
    is_clean_id,
    milliseconds,
    shopper_of,
)

MAX_TITLE_CHARS = 1_024
MAX_TEXT_CHARS = 16_384


class Review(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What one shopper wrote of one item. `review_id` is fixed at first send: a retry carries the
    same. `rating`: stars, if the shop asks for them; the words alone are judged."""

    review_id: Id
    item_id: Id
    time: Timestamp
    tenant: Tenant = "default"
    user_id: Id | None = None
    anonymous_id: Id | None = None
    title: Annotated[str, Meta(max_length=MAX_TITLE_CHARS)] = ""
    text: Annotated[str, Meta(max_length=MAX_TEXT_CHARS)] = ""
    rating: Annotated[float, Meta(ge=1, le=5)] | None = None

    @property
    def shopper(self) -> str:
        return shopper_of(self.user_id, self.anonymous_id)

    @property
    def time_ms(self) -> int:
        return milliseconds(self.time)


class Verdict(StrEnum):
    GOOD = "good"
    BAD = "bad"

    __hash__ = str.__hash__


# Stored counts name a verdict by its place here: append only.
VERDICT_ORDER: tuple[Verdict, ...] = (Verdict.BAD, Verdict.GOOD)


class ReviewVerdict(Struct, frozen=True, kw_only=True):
    """What a review was judged to say. `user`: the shopper as on lists (`~` before an anonymous
    id). `probability`: that the review is a good one. `time`: when it was written. Of two verdicts
    on one review the first in the log counts."""

    review_id: Id
    tenant: Tenant
    user: Annotated[str, Meta(min_length=1, max_length=129)]
    item_id: Id
    verdict: Verdict
    probability: Annotated[float, Meta(ge=0, le=1)]
    model_version: Annotated[str, Meta(min_length=1, max_length=64)]
    time: Timestamp

    @property
    def time_ms(self) -> int:
        return milliseconds(self.time)


Reviewers = Annotated[int, Meta(ge=0)]


class ReviewCounts(Struct, frozen=True, kw_only=True):
    """How many reviews of an item were judged good and bad."""

    tenant: Tenant
    item_id: Id
    good: Reviewers
    bad: Reviewers

    @property
    def reviews(self) -> int:
        return self.good + self.bad

    @property
    def liked(self) -> float:
        """The share of the reviews that are good; 0 of none."""
        return self.good / self.reviews if self.reviews else 0.0


_REVIEWS = msgspec.json.Decoder(Review)
_VERDICTS = msgspec.json.Decoder(ReviewVerdict)


def decode_review(value: bytes | None, log_ms: int) -> Review:
    """The review of one record whose log time is `log_ms`; raises nothing but Refused, whose detail
    names the field and never what it holds."""
    if value is None:
        raise Refused(Reason.UNDECODABLE, "the value is null")
    if len(value) > MAX_RECORD_BYTES:
        raise Refused(Reason.TOO_LARGE, f"{len(value)} bytes; at most {MAX_RECORD_BYTES}")
    try:
        review = _REVIEWS.decode(value)
        check_document(value.decode())
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise refusal(error) from None
    _check(review, log_ms)
    return review


def _check(review: Review, log_ms: int) -> None:
    if review.user_id is None and review.anonymous_id is None:
        raise Refused(Reason.MISSING_FIELD, "one of user_id and anonymous_id is required")
    if review.user_id is not None and review.user_id.startswith("~"):
        raise Refused(Reason.BAD_ID, "user_id begins with '~', which marks anonymous shoppers")
    for name in ("review_id", "item_id", "user_id", "anonymous_id"):
        given = getattr(review, name)
        if given is not None and not is_clean_id(given):
            raise Refused(Reason.BAD_ID, f"{name} has a character that ids may not have")
    if not review.title.strip() and not review.text.strip():
        raise Refused(Reason.MISSING_FIELD, "one of title and text is required")
    if review.time_ms < 0:
        raise Refused(Reason.OUT_OF_RANGE, "$.time is before 1970")
    if review.time_ms > log_ms + MAX_FUTURE_MS:
        raise Refused(Reason.FUTURE_TIME, f"time is more than {MAX_FUTURE_MS} ms ahead of the log")


def decode_verdict(value: bytes | None) -> ReviewVerdict:
    """Raises nothing but Refused."""
    if value is None:
        raise Refused(Reason.UNDECODABLE, "the value is null")
    try:
        verdict = _VERDICTS.decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise refusal(error) from None
    if not all(map(is_clean_id, (verdict.review_id, verdict.user, verdict.item_id))):
        raise Refused(Reason.BAD_ID, "an id has a character that ids may not have")
    if verdict.time_ms < 0:
        raise Refused(Reason.OUT_OF_RANGE, "$.time is before 1970")
    return verdict
