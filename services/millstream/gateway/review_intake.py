"""Reviews as they come over HTTP, judged one by one by the rule that insights applies; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from millstream.domain.reviews import Review, decode_review
from millstream.gateway.callers import Caller
from millstream.gateway.intake import MAX_BATCH, Judged, check_tenant, judge_each


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

    def take(part: bytes) -> tuple[Review, Review]:
        review = decode_review(part, now_ms)
        check_tenant(review.tenant, caller.tenant)
        said = msgspec.structs.replace(review, tenant=caller.tenant)
        return said, said if caller.pseudonyms is None else caller.pseudonyms.review(said)

    return judge_each(parts, caller, take)
