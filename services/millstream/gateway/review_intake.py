"""Reviews as they come over HTTP, judged one by one by the rule that insights applies; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from millstream.domain.errors import Reason, Refused
from millstream.domain.events import MAX_RECORD_BYTES
from millstream.domain.identity import record_key
from millstream.domain.reviews import Review, decode_review
from millstream.gateway.callers import Caller
from millstream.gateway.intake import (
    ACCEPTED,
    MAX_BATCH,
    Judged,
    Record,
    Status,
    Verdict,
    check_tenant,
)


class ReviewBatch(Struct, frozen=True, forbid_unknown_fields=True):
    reviews: Annotated[tuple[Review, ...], Meta(min_length=1, max_length=MAX_BATCH)]


class _Parts(Struct):
    reviews: Annotated[tuple[Raw, ...], Meta(min_length=1, max_length=MAX_BATCH)] | UnsetType = (
        UNSET
    )


_parts = msgspec.json.Decoder(_Parts).decode


def parts_of(body: bytes) -> Sequence[bytes]:
    """The reviews of a body, unread: one, or those under `reviews`. Raises as intake.parts_of."""
    reviews = _parts(body).reviews
    return (body,) if reviews is UNSET else [bytes(part) for part in reviews]


def judge_reviews(parts: Sequence[bytes], caller: Caller, now_ms: int) -> Judged:
    """As intake.judge. No review is late: a shop may send those of years."""
    verdicts: list[Verdict] = []
    records: list[Record] = []
    known_as: dict[str, str] = {}
    for part in parts:
        try:
            review = decode_review(part, now_ms)
            check_tenant(review.tenant, caller.tenant)
            said = msgspec.structs.replace(review, tenant=caller.tenant)
            sent = said if caller.pseudonyms is None else caller.pseudonyms.review(said)
            records.append(_record(sent))
        except Refused as refused:
            verdicts.append(Verdict(Status.REFUSED, refused.reason, refused.detail))
            continue
        verdicts.append(ACCEPTED)
        if caller.pseudonyms is not None:
            known_as[sent.shopper] = review.shopper
    return Judged(verdicts, records, tuple(known_as.items()))


def _record(review: Review) -> Record:
    value = msgspec.json.encode(review)
    if len(value) > MAX_RECORD_BYTES:  # pseudonyms and the tenant may be longer than what was said
        raise Refused(
            Reason.TOO_LARGE, f"{len(value)} bytes as sent on; at most {MAX_RECORD_BYTES}"
        )
    return Record(record_key(review.tenant, review.shopper), value)
